import { ValueError } from "@lockstep/core";

/**
 * Refuses sizes that are no whole numbers of at least 1.
 *
 * @throws {ValueError} E_MODEL_CONFIG naming the first such field of `sizes`.
 */
export function assertModelSizes(model: string, sizes: Readonly<Record<string, number>>): void {
  for (const [field, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new ValueError(
      `${model}: ${field} is ${size}; it must be a whole number of at least 1.`,
      { ...sizes },
      "E_MODEL_CONFIG",
    );
  }
}
