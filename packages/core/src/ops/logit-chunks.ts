/**
 * @file Cross-entropy of logits x W^T + b that are never there at once: pieces of them are computed, used and forgotten, in backward again.
 *
 * Which pieces is a function of shapes alone. Pieces of rows change no bit: a row's loss reads that row alone, and the gradient of W goes on over
 * ascending rows where the last piece left it. Where classes are cut too, a row's maximum and sum run over ascending pieces: within rounding
 * of the whole row.
 *
 * Legend: N flattened rows, C features, V classes; R and U those of a piece.
 * @source Milakov and Gimelshein 2018, "Online normalizer calculation for softmax", algorithm 3, by pieces.
 */
import { noGrad } from "../autograd/grad-mode.js";
import * as ex from "../expr/expr.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { add, maximum, mul, sub } from "./arithmetic.js";
import { ge, lt, ne, where } from "./compare.js";
import { ElementwiseKernel } from "./elementwise-kernel.js";
import { sum } from "./expand-sum.js";
import { gatherOp } from "./gather.js";
import { logicalAnd } from "./logic.js";
import { exp, log } from "./math.js";
import { transpose } from "./permute.js";
import { max } from "./reduce.js";
import { reshape } from "./reshape.js";

/** Most rows and classes of a piece. */
export interface LogitChunks {
  readonly rows: number;
  readonly classes: number;
}

/** 64 MiB of logits: half of what every WebGPU adapter binds. */
const maxLogits = 16_777_216;
/** Rows of more classes than this are cut: at least 64 of them make a piece. */
const maxClasses = 262_144;

/** The pieces of [N, V] logits; rows by 64, so that tiles of a product are full. */
export function logitChunks(numRows: number, numClasses: number): LogitChunks {
  const classes = Math.max(1, Math.min(numClasses, maxClasses));
  const fitting = Math.floor(maxLogits / classes);
  return { rows: numRows <= fitting ? Math.max(1, numRows) : Math.floor(fitting / 64) * 64, classes };
}

/** The last layer: x [N, C], weight [V, C], perhaps bias [V]. */
export interface LogitLayer {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias?: Tensor | undefined;
}

export interface ChunkOptions {
  /** [N] i32. */
  readonly targets: Tensor;
  readonly ignoreIndex: number;
  readonly chunks: LogitChunks;
}

interface Piece {
  readonly first: number;
  readonly count: number;
}

function piecesOf(total: number, most: number): Piece[] {
  return Array.from({ length: Math.ceil(total / most) }, (_, i) => {
    return { first: i * most, count: Math.min(most, total - i * most) };
  });
}

/** Part of the first dim, as a view of the current scope. */
function part(x: Tensor, { first, count }: Piece): Tensor {
  const { offset, shape, strides } = x;
  return x.viewAs({ offset: offset + first * strides[0]!, shape: [count, ...shape.slice(1)], strides });
}

/** Computes pieces of logits into memory of their own, the same for all. */
class LogitPieces {
  readonly rows: readonly Piece[];
  readonly classes: readonly Piece[];
  readonly #layer: LogitLayer;
  readonly #memory: Tensor;

  constructor(layer: LogitLayer, { rows, classes }: LogitChunks) {
    const [numRows, numClasses] = [layer.x.shape[0]!, layer.weight.shape[0]!];
    this.#layer = layer;
    this.rows = piecesOf(numRows, rows);
    this.classes = piecesOf(numClasses, classes);
    this.#memory = this.allocate();
  }

  /** Room for the largest piece. */
  allocate(): Tensor {
    const shape = [this.rows[0]!.count, this.classes[0]!.count];
    return Tensor.allocate(this.#layer.x.backend, shape, "f32", "exact");
  }

  /** [R, U] */
  logits(rows: Piece, classes: Piece): Tensor {
    const { x, weight, bias } = this.#layer;
    const out = shaped(this.#memory, rows, classes);
    const options = bias === undefined ? {} : { bias: part(bias, classes) };
    x.backend.kernels.matmul(part(x, rows), transpose(part(weight, classes)), out, options);
    return out;
  }
}

/** The beginning of `memory` as [R, U]. */
function shaped(memory: Tensor, { count: R }: Piece, { count: U }: Piece): Tensor {
  return memory.viewAs({ offset: 0, shape: [R, U], strides: [U, 1] });
}

/** Fills losses and lse (logSumExp), each [N]; 0 is the loss of an ignored row. */
export function lossesInChunks(
  layer: LogitLayer,
  { targets, ignoreIndex, chunks }: ChunkOptions,
  outputs: { readonly losses: Tensor; readonly lse: Tensor },
): void {
  if (layer.x.shape[0] === 0) return;
  const { kernels } = layer.x.backend;
  untaped(() => {
    const pieces = new LogitPieces(layer, chunks);
    for (const rows of pieces.rows) {
      scope(() => {
        const [loss, lse] = [part(outputs.losses, rows), part(outputs.lse, rows)];
        const wanted = part(targets, rows);
        if (pieces.classes.length === 1) {
          kernels.crossEntropy(pieces.logits(rows, pieces.classes[0]!), wanted, ignoreIndex, { loss, lse });
          return;
        }
        const found = lossesOfRows(pieces, rows, keptTargets(wanted, ignoreIndex));
        kernels.copy(found.loss, loss);
        kernels.copy(found.lse, lse);
      });
    }
  });
}

/** What was not wanted is undefined. */
export interface LogitGradients {
  readonly dx: Tensor | undefined;
  readonly dWeight: Tensor | undefined;
  readonly dBias: Tensor | undefined;
}

/** Fills the gradients of sum(losses * dLoss). */
export function gradientsInChunks(
  layer: LogitLayer,
  options: ChunkOptions & { readonly lse: Tensor; readonly dLoss: Tensor },
  gradients: LogitGradients,
): void {
  const { kernels } = layer.x.backend;
  if (layer.x.shape[0] === 0) {
    for (const gradient of Object.values(gradients)) if (gradient !== undefined) kernels.fill(gradient, 0);
    return;
  }
  untaped(() => {
    const pieces = new LogitPieces(layer, options.chunks);
    const memory = pieces.classes.length === 1 ? pieces.allocate() : undefined;
    for (const rows of pieces.rows) {
      for (const classes of pieces.classes) {
        scope(() => {
          const dLogits = slopes(pieces, { rows, classes, memory }, options);
          addGradients(layer, { rows, classes, dLogits }, gradients);
        });
      }
    }
  });
}

function untaped(run: () => void): void {
  noGrad(() => scope(run));
}

/** Targets, -1 where the row is ignored. @shape [R] i32 */
function keptTargets(targets: Tensor, ignoreIndex: number): Tensor {
  return where(ne(targets, ignoreIndex), targets, -1);
}

const column = (x: Tensor): Tensor => reshape(x, [x.size, 1]);

/** exp(x - y) */
const expOfDifference = new ElementwiseKernel(
  "expOfDifference",
  ["f32", "f32"],
  [ex.exp(ex.sub(ex.input(0), ex.input(1)))],
  0,
);

/** Loss and logSumExp of rows whose classes come in pieces. @param targets from keptTargets */
function lossesOfRows(
  pieces: LogitPieces,
  rows: Piece,
  targets: Tensor,
): { readonly loss: Tensor; readonly lse: Tensor } {
  let state: { readonly peak: Tensor; readonly total: Tensor; readonly picked: Tensor } | undefined;
  for (const classes of pieces.classes) {
    const before = state;
    state = scope(() => {
      const logits = pieces.logits(rows, classes);
      const top = max(logits, 1);
      const peak = before === undefined ? top : maximum(before.peak, top);
      const here = sum(expOfDifference.apply([logits, column(peak)], [])[0]!, 1);
      const place = sub(targets, classes.first);
      const isHere = logicalAnd(ge(place, 0), lt(place, classes.count));
      const index = column(where(isHere, place, 0));
      const score = reshape(gatherOp.apply([logits, index], { axis: 1 })[0]!, [rows.count]);
      if (before === undefined) return { peak, total: here, picked: where(isHere, score, 0) };
      const shrunk = mul(before.total, exp(sub(before.peak, peak)));
      return { peak, total: add(shrunk, here), picked: where(isHere, score, before.picked) };
    });
  }
  const { peak, total, picked } = state!;
  const logTotal = log(total);
  const loss = where(ge(targets, 0), sub(logTotal, sub(picked, peak)), 0);
  return { loss, lse: add(peak, logTotal) };
}

/** (exp(logits - lse) - (class == target)) * dLoss, 0 where the target is -1. Inputs: logits, lse, dLoss, target, class. */
const slopeKernel = (() => {
  const [target, place] = [ex.input(3, "i32"), ex.input(4, "i32")];
  const share = ex.exp(ex.sub(ex.input(0), ex.input(1)));
  const slope = ex.mul(ex.sub(share, ex.select(ex.eq(place, target), 1, 0)), ex.input(2));
  return new ElementwiseKernel(
    "logitSlope",
    ["f32", "f32", "f32", "i32", "i32"],
    [ex.select(ex.lt(target, 0), 0, slope)],
    0,
  );
})();

/** dLogits of a piece, [R, U]. */
function slopes(
  pieces: LogitPieces,
  { rows, classes, memory }: { readonly rows: Piece; readonly classes: Piece; readonly memory: Tensor | undefined },
  { targets, ignoreIndex, lse, dLoss }: Parameters<typeof gradientsInChunks>[1],
): Tensor {
  const logits = pieces.logits(rows, classes);
  const ofRows = { dLoss: part(dLoss, rows), targets: part(targets, rows), lse: part(lse, rows) };
  if (memory !== undefined) {
    const out = shaped(memory, rows, classes);
    logits.backend.kernels.crossEntropyBackward({ ...ofRows, logits }, ignoreIndex, out);
    return out;
  }
  const kept = keptTargets(ofRows.targets, ignoreIndex);
  const places = Tensor.allocate(logits.backend, [classes.count], "i32");
  const { first, count } = classes;
  logits.backend.write(
    places.buffer,
    0,
    Int32Array.from({ length: count }, (_, i) => first + i),
  );
  const inputs = [logits, column(ofRows.lse), column(ofRows.dLoss), column(kept), places];
  return slopeKernel.apply(inputs, [])[0]!;
}

function addGradients(
  { x, weight }: LogitLayer,
  { rows, classes, dLogits }: { readonly rows: Piece; readonly classes: Piece; readonly dLogits: Tensor },
  { dx, dWeight, dBias }: LogitGradients,
): void {
  const { kernels } = x.backend;
  if (dx !== undefined) {
    kernels.matmul(dLogits, part(weight, classes), part(dx, rows), { accumulate: classes.first > 0 });
  }
  const isFirst = rows.first === 0;
  if (dWeight !== undefined) {
    kernels.matmul(transpose(dLogits), part(x, rows), part(dWeight, classes), { accumulate: !isFirst });
  }
  if (dBias === undefined) return;
  const [own, all] = [sum(dLogits, 0), part(dBias, classes)];
  if (isFirst) kernels.copy(own, all);
  else kernels.addInto(all, own, all);
}
