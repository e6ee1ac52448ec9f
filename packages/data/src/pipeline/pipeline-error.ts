import { ValueError } from "@lockstep/core";

/** `where: what is; what must be.` as ValueError E_PIPELINE. */
export function pipelineError(
  where: string,
  is: string,
  must: string,
  fields: Readonly<Record<string, unknown>> = {},
): ValueError {
  return new ValueError(`Pipeline.${where}: ${is}; ${must}`, fields, "E_PIPELINE");
}

/** @throws {ValueError} E_PIPELINE unless value is a whole number of at least `least`. */
export function assertCount(where: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw pipelineError(where, `${name} is ${value}`, `it must be a whole number of at least ${least}.`, {
    [name]: value,
  });
}
