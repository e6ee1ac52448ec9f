/** @file Indices are checked before a kernel trusts them with memory. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";

/**
 * Reads i32 indices (where the backend can read at once) and answers how many are not `ignored`.
 * @throws {ValueError} `code` with the first bad position, its value and the limit.
 */
export function checkIndices(
  where: string,
  indices: Tensor,
  {
    limit,
    ignored,
    code,
    what,
  }: { readonly limit: number; readonly ignored?: number; readonly code: string; readonly what: string },
): number {
  if (indices.backend.readSync === undefined) return indices.size;
  const values = indices.backend.readSync(indices);
  let numKept = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value === ignored) continue;
    if (value < 0 || value >= limit) {
      throw new ValueError(
        `${where}: ${what} at position ${i} is ${value}; it must be in 0..${limit - 1}${ignored === undefined ? "" : ` or ${ignored} (ignored)`}.`,
        { position: i, value, limit },
        code,
      );
    }
    numKept++;
  }
  return numKept;
}
