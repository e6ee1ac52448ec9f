/** @file unique: the different elements. Its size depends on the values, so it reads them. */
import type { Tensor } from "../tensor/tensor.js";
import { reshape } from "./reshape.js";
import { sort } from "./sort.js";
import { takeRowsOp } from "./take-rows.js";
import { indicesBeside } from "./wrap-indices.js";

export interface Unique {
  /** Each element once, ascending. */
  readonly values: Tensor;
  /** i32, shape of x: where in `values` each element stands. */
  readonly inverse: Tensor;
  /** i32, by value: how often it occurs. */
  readonly counts: Tensor;
}

/**
 * The different elements in ascending order, where each element went and how often each occurs. All NaN count as one, the last;
 * +0 and -0 are equal. The gradient of `values` goes to the first of equal elements.
 * @shape x [...] -> values [n], inverse [...] (i32), counts [n] (i32)
 * @throws {BackendError} E_BACKEND on a device that cannot read at once.
 * @source numpy.unique (torch.unique counts each NaN apart)
 * @example
 * unique(tensor([3, 1, 3])).values.toArraySync(); // => [1, 3]
 * unique(tensor([3, 1, 3])).inverse.toArraySync(); // => [1, 0, 1]
 */
export function unique(x: Tensor): Unique {
  const flat = reshape(x, [x.size]);
  const sorted = sort(flat);
  const [values, places] = [sorted.values.dataSync(), sorted.indices.dataSync()];
  const inverse = new Int32Array(x.size);
  const firsts: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const [value, before] = [values[i]!, values[i - 1]];
    const isNew = i === 0 || (value !== before && !(Number.isNaN(value) && Number.isNaN(before)));
    if (isNew) {
      firsts.push(places[i]!);
      counts.push(0);
    }
    counts[counts.length - 1]!++;
    inverse[places[i]!] = firsts.length - 1;
  }
  const rows = takeRowsOp.apply([reshape(flat, [x.size, 1]), indicesBeside(x, Int32Array.from(firsts))], undefined)[0]!;
  return {
    values: reshape(rows, [firsts.length]),
    inverse: indicesBeside(x, inverse, x.shape),
    counts: indicesBeside(x, Int32Array.from(counts)),
  };
}
