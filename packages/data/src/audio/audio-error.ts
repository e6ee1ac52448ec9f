import { ValueError } from "@lockstep/core";

/** `where: what is; what must be.` as ValueError E_AUDIO. */
export function audioError(
  where: string,
  is: string,
  must: string,
  fields: Readonly<Record<string, unknown>>,
): ValueError {
  return new ValueError(`${where}: ${is}; ${must}`, fields, "E_AUDIO");
}

/** @throws {ValueError} E_AUDIO unless every value is a whole number of at least 1. */
export function assertCounts(where: string, counts: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw audioError(where, `${name} is ${value}`, "it must be a whole number of at least 1.", { [name]: value });
  }
}
