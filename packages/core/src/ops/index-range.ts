/** @file Indices are checked before a kernel trusts them with memory. */

import { BackendError, ValueError } from "../errors.js";
import type { DTypeArray } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";

/** A number that follows from a tensor's values, where they can be had at once: `readSync`, or what the host still knows. */
export function knownValue(x: Tensor, of: (values: DTypeArray) => number): number | undefined {
  const { backend } = x;
  if (backend.readSync !== undefined) return of(backend.readSync(x));
  return backend.hostValue?.(x, of);
}

/**
 * Checks i32 indices (where their values can be had at once) and answers how many are not `ignored`.
 * @throws {ValueError} `code` with the first bad position, its value and the limit. {BackendError} E_BACKEND where some may be ignored and
 *   only a device knows how many.
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
  const known = knownValue(indices, (values) => {
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
  });
  if (known !== undefined) return known;
  if (ignored === undefined) return indices.size;
  const { name } = indices.backend;
  throw new BackendError(
    `${where}: how many indices are ${ignored} (ignored) must be known at once, and the ${name} backend knows it only of tensors made of numbers on the host. Make them with tensor(...), and take slices of them.`,
    { backend: name },
  );
}
