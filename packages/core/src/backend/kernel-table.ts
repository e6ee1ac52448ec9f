/**
 * @file The structural kernels every backend has, one row each. A backend says `satisfies KernelTable`, so that a missing kernel is
 * a type error. Element-wise work is not here: it is generated from expressions.
 *
 * Conventions: outputs are last but for options, contiguous unless a row says otherwise, and fully written. "contiguous" means
 * row-major without gaps (any offset). All f32 unless a row says i32. Kernels validate nothing.
 */
import type { ElementwiseProgram } from "../expr/program.js";
import type { TensorView } from "./backend.js";
import type { RecurrentCell } from "./recurrent-cell.js";

export type ReduceKind = "sum" | "max" | "min";
export type ArgReduceKind = "argMax" | "argMin";
export type IntegerReduceKind = ReduceKind | ArgReduceKind | "prod";

export interface MatmulOptions {
  /** [N], added to each row after the sum over K. */
  readonly bias?: TensorView;
  /** Goes on from what `out` holds instead of +0: products over consecutive pieces of K have the bits of one. Default false. */
  readonly accumulate?: boolean;
  /** Not beside `accumulate`. */
  readonly epilogue?: MatmulEpilogue;
}

/** `out` becomes a function of each element of the product, bias included, which itself is written to `input`. On the CPU the bits are those of the two steps. */
export interface MatmulEpilogue {
  /** One f32 input, no scalars, one f32 output. */
  readonly program: ElementwiseProgram;
  /** Shape and strides of `out`. */
  readonly input: TensorView;
}

/** 128 random bits come from key = seed and counter = (element / 4, use, m, step): Philox 4x32-10. All are unsigned integers. */
export interface PhiloxKey {
  readonly seedLo: number;
  readonly seedHi: number;
  readonly step: number;
  readonly m: number;
  readonly use: number;
}

export interface KernelTable {
  /** dst = src, both strided, same shape and dtype (any dtype). Used for contiguous, concat and slice writes. src alone may have strides below zero (flip). */
  copy(src: TensorView, dst: TensorView): void;
  /** All elements of a strided view (any dtype) become value. */
  fill(dst: TensorView, value: number): void;
  /** [..., M, K] x [..., K, N] -> [..., M, N]. Same batch dims (stride 0 broadcasts). Of a's and b's last two dims each has one of
   * stride 1; out's last dim has stride 1, its row stride is free. One f32 accumulator per element over ascending k, then bias. K = 0 gives zeros (+ bias). */
  matmul(a: TensorView, b: TensorView, out: TensorView, options: MatmulOptions): void;
  /** x contiguous, seen as [outer, K, inner] -> out [outer, inner]. Sums: 16 virtual lanes, blocks of 4,096, fixed tree. NaN propagates in max/min. */
  reduce(kind: ReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void;
  /** As reduce; out is i32, the first index of the extreme value; a NaN counts as the extreme. */
  argReduce(kind: ArgReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void;
  /** x contiguous i32, u8 or bool, seen as [outer, K, inner] -> out [outer, inner] i32 words, modulo 2^32; of no elements 0, 1, the least or
   * the largest i32. argMax and argMin give the first index. */
  reduceIntegers(kind: IntegerReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void;
  /** Softmax over the last dim; x, out [N, C] contiguous. */
  softmax(x: TensorView, out: TensorView): void;
  /** dx = y * (dy - sum(dy * y)). */
  softmaxBackward(dy: TensorView, y: TensorView, dx: TensorView): void;
  /** log(softmax(x)) over the last dim. */
  logSoftmax(x: TensorView, out: TensorView): void;
  /** dx = dy - exp(y) * sum(dy). */
  logSoftmaxBackward(dy: TensorView, y: TensorView, dx: TensorView): void;
  /** x [N, C], weight [C], bias [C] -> out [N, C], mean [N], rstd [N]. Two-pass variance. */
  layerNorm(x: TensorView, weight: TensorView, bias: TensorView, eps: number, outputs: LayerNormOutputs): void;
  /** Gradients of layerNorm; dWeight and dBias sum over N in the order of `reduce` over an outer axis. */
  layerNormBackward(inputs: LayerNormBackwardInputs, dx: TensorView, dWeight: TensorView, dBias: TensorView): void;
  /** logits [N, V], targets [N] i32 (ignoreIndex allowed) -> loss [N] (0 where ignored), lse [N] = logSumExp of the row. */
  crossEntropy(logits: TensorView, targets: TensorView, ignoreIndex: number, outputs: CrossEntropyOutputs): void;
  /** dLogits = (exp(logits - lse) - onehot(target)) * dLoss[row]; 0 where ignored. */
  crossEntropyBackward(inputs: CrossEntropyBackwardInputs, ignoreIndex: number, dLogits: TensorView): void;
  /** What causalAttention keeps for its gradient: a function of the shape [B, H, T, D] alone. It is given to both rows as `saved`. */
  attentionSaves(shape: readonly number[]): AttentionSaved;
  /** q, k, v [B, H, T, D], strided with last dim stride 1. out [B, H, T, D] strided (last dim stride 1). */
  causalAttention(inputs: AttentionInputs, scale: number, outputs: AttentionOutputs): void;
  /** Gradients of causalAttention, written to strided views of [B, H, T, D], from what `saved` of its shape holds. */
  causalAttentionBackward(inputs: AttentionBackwardInputs, scale: number, outputs: AttentionGradients): void;
  /** table [V, C], ids [N] i32 -> out [N, C]. */
  embedding(table: TensorView, ids: TensorView, out: TensorView): void;
  /** dTable[v] = sum over n ascending with ids[n] == v of dOut[n], one accumulator a row; 0 where none. */
  embeddingBackward(dOut: TensorView, ids: TensorView, dTable: TensorView): void;
  /** out[o, j, i] = x[o, index[o, j, i], i]; x seen as [outer, K, inner], index and out as [outer, J, inner]; any dtype. */
  gather(x: TensorView, index: TensorView, axisView: GatherAxisView, out: TensorView): void;
  /** out = 0, then out[o, index[o, j, i], i] += src[o, j, i] over ascending j; out seen as [outer, K, inner]. */
  scatterAdd(index: TensorView, src: TensorView, axisView: GatherAxisView, out: TensorView): void;
  /** Uniform in [0, 1): the top 24 bits of each 32-bit Philox word, times 2^-24; element 4i + j takes word j of block i. */
  philoxUniform(key: PhiloxKey, out: TensorView): void;
  /** Sum of squares of all tensors laid end to end, in f64: 16 lanes in blocks of 4,096 of that flat vector, then the fixed tree. Host result. */
  sumSquares(tensors: readonly TensorView[]): number;
  /** Index of the first non-finite element of a contiguous view, -1 when there is none. Host result. */
  findNonFinite(x: TensorView): number;
  /** acc = left + right, element-wise, contiguous; acc may be left or right. */
  addInto(left: TensorView, right: TensorView, acc: TensorView): void;
  /** 128-bit hash of the bytes of contiguous views in order, as 32 hex digits. Host result; the same on every machine. */
  hash(tensors: readonly TensorView[]): string;
  /** image [B, C, ...] contiguous -> columns [C * taps, positions of the tile], row stride at least that + 16: what each tap sees at each
   * output position, 0 in the padding. Lines (c, kd, kh, kw) and positions (image, row, w) ascend. */
  im2col(image: TensorView, geometry: WindowGeometry, tile: ColumnsTile, columns: TensorView): void;
  /** image += the columns of the tile at the places where im2col reads them. An element adds ascending output rows, then ascending kw. */
  col2im(columns: TensorView, geometry: WindowGeometry, tile: ColumnsTile, image: TensorView): void;
  /** x [outer, K, inner] -> out [outer, J, inner], both contiguous: out[o, j, i] = sum over t ascending of weights[t] * x[o, places[t], i], t
   * in starts[j]..starts[j + 1] - 1, from +0, never fused. */
  resample(x: TensorView, table: ResampleTable, out: TensorView): void;
  /** x [N, H, W] contiguous -> the largest element of each window and its place row * W + column (i32). NaN is the largest; the first of equals. */
  maxPool(x: TensorView, windows: PlaneWindows, outputs: MaxPoolOutputs): void;
  /** out[ids[p]] = source[p] over ascending p, so that the last of several stays; other rows of out are left as they were. source [P, R],
   * out [N, R], ids [P] i32; any dtype. */
  putRows(ids: TensorView, source: TensorView, out: TensorView): void;
  /** out_k = factors_k * out_(k-1) + terms_k over ascending k of [outer, K, inner], descending where reversed; the first is terms_0.
   * Without factors a running sum (i32 too), without terms a running product. The accumulator is f64 and never rounded. */
  scan(inputs: ScanInputs, axisView: AxisView, isReversed: boolean, out: TensorView): void;
  /** The first J (indexLength) of K, stably sorted: [outer, K, inner] -> [outer, J, inner]. NaN last in both directions; f32 or i32. */
  sort(x: TensorView, axisView: GatherAxisView, isDescending: boolean, outputs: SortOutputs): void;
  /** sorted [N, K], values [N, M] of one dtype -> out [N, M] i32: how many elements of the row are below the value, or not above it where isRight. */
  searchSorted(sorted: TensorView, values: TensorView, isRight: boolean, out: TensorView): void;
  /**
   * A recurrent cell over all steps. gates [B, T, G H] (the input's side of the pre-activations) strided, weight [G H, H], h0, c0 [B, H]
   * with unit last strides, bias [G H], lengths [B] i32 in 0..T. Row b takes its first lengths[b] steps, from the last of them to the
   * first when reversed. out [B, T, H], saved [B, T, S H], before [B, T, H] are zeros past the length; hn, cn [B, H].
   */
  recurrent(cell: RecurrentCell, inputs: RecurrentInputs, isReversed: boolean, outputs: RecurrentOutputs): void;
  /** Gradients of recurrent; dGates and dHidden [B, T, G H] are zeros past the length. */
  recurrentBackward(
    cell: RecurrentCell,
    inputs: RecurrentBackwardInputs,
    isReversed: boolean,
    outputs: RecurrentGradients,
  ): void;
  /** loss [B] = -log of the probability of all alignments of a row's target with its first frames; Infinity where there is none. f64 inside. */
  ctc(inputs: CtcInputs, blank: number, loss: TensorView): void;
  /** dLogProbs [T, B, C] = -dLoss[b] * the probability that a frame is in a state of the class; 0 past the length, and where the loss is Infinity. */
  ctcBackward(inputs: CtcInputs, blank: number, dLoss: TensorView, dLogProbs: TensorView): void;
}

/** Rows of a batch for ctc. What lies in targets past a length is not read. */
export interface CtcInputs {
  /** [T, B, C] contiguous. */
  readonly logProbs: TensorView;
  /** [B, L], i32 in 0..C-1. */
  readonly targets: TensorView;
  /** [B], i32 in 0..T. */
  readonly inputLengths: TensorView;
  /** [B], i32 in 0..L. */
  readonly targetLengths: TensorView;
}

/** Sizes along d, h and w; dims that are not there have size, stride and dilation 1. */
export type Spatial = readonly [number, number, number];

/** How a window moves over an image. */
export interface WindowGeometry {
  readonly input: Spatial;
  readonly kernel: Spatial;
  readonly stride: Spatial;
  readonly padding: Spatial;
  readonly dilation: Spatial;
  readonly output: Spatial;
}

/** Output positions: whole images, or rows (d and h merged) of one. */
export interface ColumnsTile {
  readonly firstImage: number;
  readonly numImages: number;
  readonly firstRow: number;
  readonly numRows: number;
}

/** A sparse matrix [J, K] by rows. */
export interface ResampleTable {
  /** J + 1 entries, ascending from 0. */
  readonly starts: readonly number[];
  /** Columns 0..K-1 of the entries, ascending in a row. */
  readonly places: readonly number[];
  readonly weights: readonly number[];
}

/** First and end of the input rows (columns) of each output row (column). No window is empty. */
export interface PlaneWindows {
  readonly rows: readonly (readonly [number, number])[];
  readonly columns: readonly (readonly [number, number])[];
}

export interface MaxPoolOutputs {
  readonly out: TensorView;
  readonly index: TensorView;
}

/** At least one of the two. */
export interface ScanInputs {
  readonly factors?: TensorView;
  readonly terms?: TensorView;
}

export interface SortOutputs {
  readonly values: TensorView;
  /** i32: where in the axis each value came from. */
  readonly indices: TensorView;
}

export interface RecurrentInputs {
  readonly gates: TensorView;
  readonly weight: TensorView;
  readonly bias: TensorView;
  readonly h0: TensorView;
  /** Cells with a cell state only. */
  readonly c0?: TensorView | undefined;
  readonly lengths: TensorView;
}

export interface RecurrentOutputs {
  readonly out: TensorView;
  readonly hn: TensorView;
  readonly cn?: TensorView | undefined;
  /** What the backward pass reads again. */
  readonly saved: TensorView;
  /** The hidden state before each step. */
  readonly before: TensorView;
}

/** All contiguous, but for the weight's rows. */
export interface RecurrentBackwardInputs {
  readonly dOut: TensorView;
  readonly dHn: TensorView;
  readonly dCn?: TensorView | undefined;
  readonly weight: TensorView;
  readonly lengths: TensorView;
  readonly saved: TensorView;
  readonly before: TensorView;
}

/** All contiguous. */
export interface RecurrentGradients {
  readonly dGates: TensorView;
  /** Of the hidden side's pre-activations, where they differ. */
  readonly dHidden?: TensorView | undefined;
  readonly dH0: TensorView;
  readonly dC0?: TensorView | undefined;
}

/** [outer, axisLength, inner] with outer * axisLength * inner elements. */
export interface AxisView {
  readonly outer: number;
  readonly axisLength: number;
  readonly inner: number;
}

/** An AxisView of the source (or destination) beside the length of the index along the axis. */
export interface GatherAxisView extends AxisView {
  readonly indexLength: number;
}

export interface LayerNormOutputs {
  readonly out: TensorView;
  readonly mean: TensorView;
  readonly rstd: TensorView;
}

export interface LayerNormBackwardInputs {
  readonly dOut: TensorView;
  readonly x: TensorView;
  readonly weight: TensorView;
  readonly mean: TensorView;
  readonly rstd: TensorView;
}

export interface CrossEntropyOutputs {
  readonly loss: TensorView;
  readonly lse: TensorView;
}

export interface CrossEntropyBackwardInputs {
  readonly dLoss: TensorView;
  readonly logits: TensorView;
  readonly targets: TensorView;
  readonly lse: TensorView;
}

export interface AttentionInputs {
  readonly q: TensorView;
  readonly k: TensorView;
  readonly v: TensorView;
}

/**
 * "probs": [B, H, T, T], softmax rows, 0 above the diagonal. "logSumExp": [B, H, T], that of each row of scaled scores, from which the
 * gradient computes the probabilities again.
 */
export type AttentionSaved = "probs" | "logSumExp";

export interface AttentionOutputs {
  readonly out: TensorView;
  /** Contiguous. */
  readonly saved: TensorView;
}

export interface AttentionBackwardInputs extends AttentionInputs {
  readonly dOut: TensorView;
  readonly saved: TensorView;
  /** The result of causalAttention, strided as dOut: where logSumExp was saved. */
  readonly out?: TensorView | undefined;
}

export interface AttentionGradients {
  readonly dq: TensorView;
  readonly dk: TensorView;
  readonly dv: TensorView;
}
