/**
 * @file Running sums, products and recurrences over the middle of [outer, K, inner]. One loop on the calling thread: an element waits for
 * the one before it. Accumulators are f64, one a column; each element is rounded once, from its accumulator.
 */
import type { TensorView } from "../../backend/backend.js";
import type { AxisView, KernelTable, ScanInputs } from "../../backend/kernel-table.js";
import type { KernelHost, KernelRoom } from "../kernel.js";

type Elements = Float32Array | Int32Array;

interface Walk extends AxisView {
  readonly elements: Elements;
  /** Element indices. */
  readonly factors: number | undefined;
  readonly terms: number | undefined;
  readonly out: number;
  readonly isReversed: boolean;
}

/** One column after another: its accumulator stays in a register. */
function scanColumns({ elements, factors, terms, out, isReversed, outer, axisLength, inner }: Walk): void {
  const stride = isReversed ? -inner : inner;
  for (let column = 0; column < outer * inner; column++) {
    const o = Math.floor(column / inner);
    let at = (o * axisLength + (isReversed ? axisLength - 1 : 0)) * inner + (column - o * inner);
    let total = factors === undefined ? 0 : 1;
    for (let k = 0; k < axisLength; k++) {
      if (factors === undefined) total += elements[terms! + at]!;
      else if (terms === undefined) total *= elements[factors + at]!;
      else total = k === 0 ? elements[terms + at]! : elements[factors + at]! * total + elements[terms + at]!;
      elements[out + at] = total;
      at += stride;
    }
  }
}

interface Run {
  readonly view: AxisView;
  readonly isReversed: boolean;
  readonly out: TensorView;
}

function scan(host: KernelHost, { factors, terms }: ScanInputs, { view, isReversed, out }: Run): void {
  if (view.outer * view.axisLength * view.inner === 0) return;
  const words = host.words();
  scanColumns({
    ...view,
    elements: out.dtype === "f32" ? words.f32 : words.i32,
    factors: factors && host.addressOf(factors) / 4,
    terms: terms && host.addressOf(terms) / 4,
    out: host.addressOf(out) / 4,
    isReversed,
  });
}

export const scanRoom: KernelRoom<Pick<KernelTable, "scan">> = {
  kernels: [],
  rows: (host) => ({
    scan: (inputs, view, isReversed, out) => scan(host, inputs, { view, isReversed, out }),
  }),
};
