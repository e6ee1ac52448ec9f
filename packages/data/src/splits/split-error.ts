import { ValueError } from "@lockstep/core";

/** `where: what is; what must be.` as ValueError E_SPLIT. */
export function splitError(
  where: string,
  is: string,
  must: string,
  fields: Readonly<Record<string, unknown>>,
): ValueError {
  return new ValueError(`${where}: ${is}; ${must}`, fields, "E_SPLIT");
}

/** @throws {ValueError} E_SPLIT unless `size` is a whole number of at least 1. */
export function assertSize(where: string, size: number): void {
  if (Number.isInteger(size) && size >= 1) return;
  throw splitError(where, `size is ${size}`, "it must be a whole number of at least 1.", { size });
}

/** @throws {ValueError} E_SPLIT unless there is one label for each sample. */
export function assertOneEach(where: string, name: string, length: number, size: number): void {
  if (length === size) return;
  throw splitError(where, `${name} has ${length} entries for ${size} samples`, "there must be one for each.", {
    [name]: length,
    size,
  });
}
