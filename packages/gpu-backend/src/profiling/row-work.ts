/**
 * @file What each row of the KernelTable has to do, by its arguments: floating-point operations, and which views it writes.
 *
 * Counted is what the op asks for, not what a kernel spends on it: a multiply-add is two, a transcendental one, an addition of a reduction one;
 * comparisons of a sort, copies and random bits are none. Attention counts the triangle that it sees.
 * Legend: N rows, C length of a row, M x K x N a product, B batch, H heads or units, T sequence, D head dim.
 */
import type { ElementwiseProgram, ElementwiseRun, TensorView } from "@lockstep/core";
import { type KernelTable, linearize, numElements, recurrentCellSizes } from "@lockstep/core/backend";
import { bytesOfViews, viewsIn } from "./views.js";

/** Rows that launch something. */
export type KernelRow = Exclude<keyof KernelTable, "attentionSaves">;
type Args<K extends KernelRow> = Parameters<KernelTable[K]>;

interface RowWork<K extends KernelRow> {
  readonly flops: (...args: Args<K>) => number;
  /** Views that are written. All others among the arguments are read. */
  readonly writes: (...args: Args<K>) => Iterable<TensorView>;
  /** Bytes read, where a row reads only part of its views, or what it writes as well. */
  readonly readBytes?: (...args: Args<K>) => number;
}

const size = (view: TensorView): number => numElements(view.shape);
const none = (): number => 0;
/** Pairs of places of which one sees the other, over all heads. */
const pairs = ({ shape }: TensorView): number => {
  const [B = 0, H = 0, T = 0] = shape;
  return (B * H * T * (T + 1)) / 2;
};
/** Products of the hidden state with the recurrent weight, over all steps. */
const recurrentProducts = (numGates: number, [B = 0, T = 0, H = 0]: readonly number[]): number =>
  2 * B * T * numGates * H * H;

export const rowWork: { readonly [K in KernelRow]: RowWork<K> } = {
  copy: { flops: none, writes: (_src, dst) => [dst] },
  fill: { flops: none, writes: (dst) => [dst] },
  matmul: {
    flops: (a, _b, out, { bias, epilogue }) => {
      const after = (bias === undefined ? 0 : 1) + (epilogue === undefined ? 0 : numComputing(epilogue.program));
      return size(out) * (2 * (a.shape.at(-1) ?? 0) + after);
    },
    writes: (_a, _b, out, { epilogue }) => (epilogue === undefined ? [out] : [out, epilogue.input]),
    readBytes: (a, b, out, { bias, accumulate }) => bytesOfViews([a, b, bias, accumulate ? out : undefined]),
  },
  reduce: { flops: (_kind, x) => size(x), writes: (_kind, _x, _axis, out) => [out] },
  argReduce: { flops: (_kind, x) => size(x), writes: (_kind, _x, _axis, out) => [out] },
  reduceIntegers: { flops: none, writes: (_kind, _x, _axis, out) => [out] },
  softmax: { flops: (x) => 5 * size(x), writes: (_x, out) => [out] },
  softmaxBackward: { flops: (dy) => 4 * size(dy), writes: (_dy, _y, dx) => [dx] },
  logSoftmax: { flops: (x) => 6 * size(x), writes: (_x, out) => [out] },
  logSoftmaxBackward: { flops: (dy) => 4 * size(dy), writes: (_dy, _y, dx) => [dx] },
  layerNorm: { flops: (x) => 8 * size(x), writes: (_x, _weight, _bias, _eps, outputs) => viewsIn(outputs) },
  layerNormBackward: {
    flops: ({ x }) => 13 * size(x),
    writes: (_inputs, dx, dWeight, dBias) => [dx, dWeight, dBias],
  },
  crossEntropy: {
    flops: (logits) => 4 * size(logits),
    writes: (_logits, _targets, _ignore, outputs) => viewsIn(outputs),
  },
  crossEntropyBackward: { flops: ({ logits }) => 3 * size(logits), writes: (_inputs, _ignore, dLogits) => [dLogits] },
  causalAttention: {
    flops: ({ q }) => pairs(q) * (4 * (q.shape[3] ?? 0) + 5),
    writes: (_inputs, _scale, outputs) => viewsIn(outputs),
  },
  causalAttentionBackward: {
    flops: ({ q }) => pairs(q) * (8 * (q.shape[3] ?? 0) + 4),
    writes: (_inputs, _scale, outputs) => viewsIn(outputs),
  },
  embedding: {
    flops: none,
    writes: (_table, _ids, out) => [out],
    readBytes: (_table, ids, out) => bytesOfViews([ids, out]),
  },
  embeddingBackward: { flops: (dOut) => size(dOut), writes: (_dOut, _ids, dTable) => [dTable] },
  gather: {
    flops: none,
    writes: (_x, _index, _axis, out) => [out],
    readBytes: (_x, index, _axis, out) => bytesOfViews([index, out]),
  },
  scatterAdd: { flops: (_index, src) => size(src), writes: (_index, _src, _axis, out) => [out] },
  philoxUniform: { flops: none, writes: (_key, out) => [out] },
  sumSquares: { flops: (tensors) => tensors.reduce((sum, x) => sum + 2 * size(x), 0), writes: () => [] },
  findNonFinite: { flops: none, writes: () => [] },
  addInto: { flops: (left) => size(left), writes: (_left, _right, acc) => [acc] },
  hash: { flops: none, writes: () => [] },
  im2col: { flops: none, writes: (_image, _geometry, _tile, columns) => [columns] },
  col2im: {
    flops: (columns) => size(columns),
    writes: (_columns, _geometry, _tile, image) => [image],
    readBytes: (columns, _geometry, _tile, image) => bytesOfViews([columns, image]),
  },
  resample: {
    flops: (x, { weights, starts }, out) =>
      2 * weights.length * (size(out) / Math.max(1, starts.length - 1) || size(x)),
    writes: (_x, _table, out) => [out],
  },
  maxPool: { flops: none, writes: (_x, _windows, outputs) => viewsIn(outputs) },
  putRows: {
    flops: none,
    writes: (_ids, source) => [source], // as many bytes as the rows that it puts
    readBytes: (ids, source) => bytesOfViews([ids, source]),
  },
  scan: {
    flops: ({ factors, terms }, _axis, _isReversed, out) => size(out) * (factors && terms ? 2 : 1),
    writes: (_inputs, _axis, _isReversed, out) => [out],
  },
  sort: { flops: none, writes: (_x, _axis, _isDescending, outputs) => viewsIn(outputs) },
  searchSorted: { flops: none, writes: (_sorted, _values, _isRight, out) => [out] },
  recurrent: {
    flops: (cell, _inputs, _isReversed, { out }) => recurrentProducts(recurrentCellSizes[cell].numGates, out.shape),
    writes: (_cell, _inputs, _isReversed, outputs) => viewsIn(outputs),
  },
  recurrentBackward: {
    flops: (cell, { dOut }) => recurrentProducts(recurrentCellSizes[cell].numGates, dOut.shape),
    writes: (_cell, _inputs, _isReversed, gradients) => viewsIn(gradients),
  },
  ctc: { flops: none, writes: (_inputs, _blank, loss) => [loss] },
  ctcBackward: { flops: none, writes: (_inputs, _blank, _dLoss, dLogProbs) => [dLogProbs] },
};

/** What a call has to do. */
export interface OpWork {
  readonly flops: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Whether the bytes were counted otherwise than by the views that kernels are given. */
  readonly isCounted: boolean;
}

/** Of a row's call. A view that is read and written in place is two arguments. */
export function workOfRow<K extends KernelRow>(name: K, args: Args<K>): OpWork {
  const row = rowWork[name] as RowWork<K>;
  const writtenBytes = bytesOfViews(row.writes(...args));
  const counted = row.readBytes?.(...args);
  const readBytes = counted ?? bytesOfViews(viewsIn(args)) - writtenBytes;
  return { flops: row.flops(...args), readBytes, writtenBytes, isCounted: counted !== undefined };
}

/** Of an element-wise program on one set of operands or more: one operation for each node that computes, and element. */
export function workOfProgram(program: ElementwiseProgram, runs: readonly ElementwiseRun[]): OpWork {
  const numElements = runs.reduce((sum, { outputs }) => sum + size(outputs[0]!), 0);
  return {
    flops: numComputing(program) * numElements,
    readBytes: bytesOfViews(runs.flatMap(({ inputs }) => inputs)),
    writtenBytes: bytesOfViews(runs.flatMap(({ outputs }) => outputs)),
    isCounted: runs.length > 1,
  };
}

/** Of a late result: `flopsOfElement` operations, and as many passes over the views that read, and that write. */
export function workOfLate(
  views: readonly TensorView[],
  {
    flopsOfElement,
    reads,
    writes,
  }: { readonly flopsOfElement: number; readonly reads: number; readonly writes: number },
): OpWork {
  const numElements = views.reduce((sum, view) => sum + size(view), 0);
  const bytes = bytesOfViews(views);
  return {
    flops: flopsOfElement * numElements,
    readBytes: reads * bytes,
    writtenBytes: writes * bytes,
    isCounted: true,
  };
}

const computingKinds: ReadonlySet<string> = new Set(["unary", "binary", "compare", "select"]);
const numKnown = new WeakMap<ElementwiseProgram, number>();

function numComputing(program: ElementwiseProgram): number {
  let count = numKnown.get(program);
  if (count === undefined) {
    count = linearize(program.outputs).nodes.filter(({ kind }) => computingKinds.has(kind)).length;
    numKnown.set(program, count);
  }
  return count;
}
