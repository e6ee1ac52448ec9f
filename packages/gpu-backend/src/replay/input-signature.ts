/** @file What a step's launches may depend on of its input: layout of its tensors, and everything in it that is no tensor. */

import type { DeviceBuffer } from "@lockstep/core";
import { Tensor } from "@lockstep/core";

/** Longer ones belong to inputs whose numbers differ each time. */
const maxLength = 1 << 16;

/**
 * The same text for inputs that one recording stands for; undefined for an input that holds functions, or too much plain data to compare.
 *
 * @param placeOf names the buffer of a tensor.
 */
export function inputSignature(input: unknown, placeOf: (buffer: DeviceBuffer) => string): string | undefined {
  const parts: string[] = [];
  let length = 0;
  const put = (text: string): boolean => {
    parts.push(text);
    length += text.length;
    return length <= maxLength;
  };
  const visit = (value: unknown): boolean => {
    if (value instanceof Tensor) {
      const { dtype, shape, strides, offset, buffer } = value;
      return put(`T${dtype}[${shape.join()}][${strides.join()}]${offset}@${placeOf(buffer)}`);
    }
    if (ArrayBuffer.isView(value)) return put(`A${Array.from(value as unknown as ArrayLike<number>).join()}`);
    if (typeof value === "function") return false;
    if (value === null || typeof value !== "object") return put(`${typeof value}:${String(value)}`);
    const entries: Iterable<readonly [unknown, unknown]> =
      value instanceof Map ? value : value instanceof Set ? value.entries() : Object.entries(value);
    if (!put("{")) return false;
    for (const [key, field] of entries) if (!put(`${String(key)}=`) || !visit(field)) return false;
    return put("}");
  };
  return visit(input) ? parts.join(";") : undefined;
}
