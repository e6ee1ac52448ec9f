/**
 * @file Connectionist temporal classification: the sum over all alignments, forwards and backwards, in logarithms. One loop on the calling
 * thread: a frame waits for the one before it. Everything is f64 and rounded once, into the output.
 *
 * A target of L labels has 2 L + 1 states: its labels, and blanks before, between and behind them. A path stays in a state, goes to the
 * next, or skips a blank between unlike labels. Legend: T frames, B batch, C classes, S states.
 */
import type { TensorView } from "../../backend/backend.js";
import type { CtcInputs, KernelTable } from "../../backend/kernel-table.js";
import { exp } from "../../scalar-math/exp.js";
import { log } from "../../scalar-math/log.js";
import type { KernelHost, KernelRoom } from "../kernel.js";

const impossible = Number.NEGATIVE_INFINITY;

/** log(e^a + e^b + e^c). */
function logSum(a: number, b: number, c: number): number {
  const largest = Math.max(a, b, c);
  if (largest === impossible) return largest;
  return largest + log(exp(a - largest) + exp(b - largest) + exp(c - largest));
}

/** One row of the batch. */
interface Alignment {
  readonly logProbs: Float32Array;
  /** Index of class 0 in frame 0; distance from frame to frame. */
  readonly first: number;
  readonly frame: number;
  readonly numFrames: number;
  /** Class of each state. */
  readonly states: Int32Array;
}

/** Whether a path may come from two states before: they differ, so neither is a blank. */
function canSkip(states: Int32Array, s: number): boolean {
  return s > 1 && states[s] !== states[s - 2];
}

/**
 * alphas[t, s] = log of the probability of all that lead to state s with frame t, its frame included. Keeps the last `numRows` frames, frame
 * t in row t mod numRows. Answers the log of the probability of all alignments.
 */
function runForwards(
  { logProbs, first, frame, numFrames, states }: Alignment,
  alphas: Float64Array,
  numRows: number,
): number {
  const S = states.length;
  if (numFrames === 0) return S === 1 ? 0 : impossible;
  for (let t = 0; t < numFrames; t++) {
    const row = (t % numRows) * S;
    const before = ((t + numRows - 1) % numRows) * S;
    const probs = first + t * frame;
    for (let s = 0; s < S; s++) {
      let arriving = s < 2 ? 0 : impossible;
      if (t > 0) {
        const step = s > 0 ? alphas[before + s - 1]! : impossible;
        const skip = canSkip(states, s) ? alphas[before + s - 2]! : impossible;
        arriving = logSum(alphas[before + s]!, step, skip);
      }
      alphas[row + s] = arriving + logProbs[probs + states[s]!]!;
    }
  }
  const last = ((numFrames - 1) % numRows) * S + S - 1;
  return logSum(alphas[last]!, S > 1 ? alphas[last - 1]! : impossible, impossible);
}

/** What is left of the paths behind frame t, from frame t + 1's `betas`, in place: states ascend, so what is read is still old. */
function stepBackwards({ logProbs, first, frame, numFrames, states }: Alignment, betas: Float64Array, t: number): void {
  const S = states.length;
  if (t === numFrames - 1) {
    for (let s = 0; s < S; s++) betas[s] = s >= S - 2 ? 0 : impossible;
    return;
  }
  const probs = first + (t + 1) * frame;
  for (let s = 0; s < S; s++) {
    const stay = betas[s]! + logProbs[probs + states[s]!]!;
    const step = s + 1 < S ? betas[s + 1]! + logProbs[probs + states[s + 1]!]! : impossible;
    const skip = s + 2 < S && canSkip(states, s + 2) ? betas[s + 2]! + logProbs[probs + states[s + 2]!]! : impossible;
    betas[s] = logSum(stay, step, skip);
  }
}

/** The rows of the batch, one after another. */
function forEachRow(
  host: KernelHost,
  { logProbs, targets, inputLengths, targetLengths }: CtcInputs,
  blank: number,
  use: (row: Alignment, b: number) => void,
): void {
  const [, B, C] = logProbs.shape as [number, number, number];
  const words = host.words();
  const [labels, numFrames, numLabels] = [targets, inputLengths, targetLengths].map(
    (view) => host.addressOf(view) / 4,
  ) as [number, number, number];
  for (let b = 0; b < B; b++) {
    const states = new Int32Array(2 * words.i32[numLabels + b]! + 1).fill(blank);
    const own = labels + b * targets.shape[1]!;
    for (let s = 1; s < states.length; s += 2) states[s] = words.i32[own + (s - 1) / 2]!;
    const row = {
      logProbs: words.f32,
      first: host.addressOf(logProbs) / 4 + b * C,
      frame: B * C,
      numFrames: words.i32[numFrames + b]!,
      states,
    };
    use(row, b);
  }
}

/** Temporary f64 numbers: `numRows` rows of states. */
function withRows<T>(host: KernelHost, count: number, use: (values: Float64Array) => T): T {
  return host.withTemporary(8 * Math.max(1, count), (address) =>
    use(host.words().f64.subarray(address / 8, address / 8 + count)),
  );
}

function forward(host: KernelHost, inputs: CtcInputs, { blank, loss }: { blank: number; loss: TensorView }): void {
  if (inputs.logProbs.shape[1] === 0) return;
  withRows(host, 2 * (2 * inputs.targets.shape[1]! + 1), (alphas) => {
    const out = host.addressOf(loss) / 4;
    forEachRow(host, inputs, blank, (row, b) => {
      row.logProbs[out + b] = 0 - runForwards(row, alphas, 2);
    });
  });
}

interface Backward {
  readonly blank: number;
  readonly dLoss: TensorView;
  readonly dLogProbs: TensorView;
}

function backward(host: KernelHost, inputs: CtcInputs, { blank, dLoss, dLogProbs }: Backward): void {
  const [T, , C] = inputs.logProbs.shape as [number, number, number];
  host
    .words()
    .f32.fill(0, host.addressOf(dLogProbs) / 4, host.addressOf(dLogProbs) / 4 + T * inputs.logProbs.shape[1]! * C);
  const maxStates = 2 * inputs.targets.shape[1]! + 1;
  withRows(host, (T + 1) * maxStates + C, (temporary) => {
    const betas = temporary.subarray(T * maxStates, (T + 1) * maxStates);
    const shares = temporary.subarray((T + 1) * maxStates);
    forEachRow(host, inputs, blank, (row, b) => {
      const logTotal = runForwards(row, temporary, Math.max(1, row.numFrames));
      const factor = row.logProbs[host.addressOf(dLoss) / 4 + b]!;
      if (logTotal === impossible || factor === 0) return;
      for (let t = row.numFrames - 1; t >= 0; t--) {
        stepBackwards(row, betas, t);
        addShares(row, { alphas: temporary.subarray(t * row.states.length), betas, logTotal, shares });
        const out = host.addressOf(dLogProbs) / 4 + (row.first - host.addressOf(inputs.logProbs) / 4) + t * row.frame;
        for (let c = 0; c < C; c++) row.logProbs[out + c] = -factor * shares[c]!;
      }
    });
  });
}

interface Frame {
  readonly alphas: Float64Array;
  readonly betas: Float64Array;
  readonly logTotal: number;
  readonly shares: Float64Array;
}

/** shares[c] = probability that the frame is in a state of class c, given the target. States ascend. */
function addShares({ states }: Alignment, { alphas, betas, logTotal, shares }: Frame): void {
  shares.fill(0);
  for (let s = 0; s < states.length; s++) shares[states[s]!]! += exp(alphas[s]! + betas[s]! - logTotal);
}

export const ctcRoom: KernelRoom<Pick<KernelTable, "ctc" | "ctcBackward">> = {
  kernels: [],
  rows: (host) => ({
    ctc: (inputs, blank, loss) => forward(host, inputs, { blank, loss }),
    ctcBackward: (inputs, blank, dLoss, dLogProbs) => backward(host, inputs, { blank, dLoss, dLogProbs }),
  }),
};
