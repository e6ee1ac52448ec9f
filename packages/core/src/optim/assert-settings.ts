/** @file Checks of optimizer settings. */
import { ValueError } from "../errors.js";

/** @throws {ValueError} E_VALUE unless `value` is finite and at least 0. */
export function assertNumber(where: string, name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new ValueError(`${where}: ${name} is ${value}; it must be a finite number of at least 0.`, { [name]: value });
}

/** @throws {ValueError} E_VALUE unless `value` is in [0, 1). */
export function assertFraction(where: string, name: string, value: number): void {
  if (value >= 0 && value < 1) return;
  throw new ValueError(`${where}: ${name} is ${value}; it must be in [0, 1).`, { [name]: value });
}

/** @throws {ValueError} E_VALUE unless `betas` are two numbers in [0, 1). */
export function assertBetas(where: string, betas: readonly number[]): void {
  if (betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1)) return;
  throw new ValueError(`${where}: betas are [${betas.join(", ")}]; they must be two numbers in [0, 1).`, { betas });
}
