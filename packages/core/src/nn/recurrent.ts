/** @file Rnn, Lstm and Gru. Legend: B batch, T sequence, C input size, H hidden size, L layers, D directions. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import {
  type RecurrentInputs,
  RecurrentLayer,
  type RecurrentOptions,
  type RecurrentResult,
} from "./recurrent-layer.js";

export type Nonlinearity = "tanh" | "relu";

export interface RnnOptions extends RecurrentOptions {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
}

/** @throws {ValueError} E_LAYER */
export function assertNonlinearity(layer: string, nonlinearity: Nonlinearity): Nonlinearity {
  if (nonlinearity === "tanh" || nonlinearity === "relu") return nonlinearity;
  throw new ValueError(
    `${layer}: nonlinearity is ${JSON.stringify(nonlinearity)}; it must be "tanh" or "relu".`,
    { nonlinearity },
    "E_LAYER",
  );
}

/**
 * The plain recurrent network: h' = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or relu of it.
 *
 * `lengths` gives sequences of unequal length in one batch: outputs past a sequence's end are zeros, its last state is that of its own last
 * step, and the second direction begins there.
 *
 * @shape x [T, B, C] ([B, T, C] with batchFirst) -> output [T, B, D H] ([B, T, D H]), hn [L D, B, H]
 * @throws {ValueError} E_LAYER for sizes or a dropout that make no layer; E_SEQUENCE_LENGTH for a length outside 1..T. {ShapeError} E_SHAPE
 * @source torch.nn.RNN, its weights' names and first values too; lengths as pack_padded_sequence(enforce_sorted=False) and
 *   pad_packed_sequence(total_length=T). Deviations: no input without a batch dim.
 * @example
 * const rnn = new nn.Rnn(2, 3, { batchFirst: true, bidirectional: true });
 * rnn.forward(zeros([4, 5, 2]), { lengths: [5, 1, 2, 3] }).output.shape; // => [4, 5, 6]
 */
export class Rnn extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, { nonlinearity = "tanh", ...options }: RnnOptions = {}) {
    super(assertNonlinearity("Rnn", nonlinearity), { inputSize, hiddenSize }, options);
  }

  forward(x: Tensor, { h0, lengths }: Omit<RecurrentInputs, "c0"> = {}): RecurrentResult {
    const { output, hn } = this.run(x, { h0, lengths });
    return { output, hn };
  }
}

export interface LstmResult extends RecurrentResult {
  /** Cell states after each sequence's last step [L D, B, H]. */
  readonly cn: Tensor;
}

/**
 * Long short-term memory: i, f, o = sigmoid, g = tanh of their own x W_ih^T + b_ih + h W_hh^T + b_hh; c' = f c + i g; h' = o tanh(c').
 *
 * @shape x [T, B, C] ([B, T, C] with batchFirst) -> output [T, B, D H] ([B, T, D H]), hn and cn [L D, B, H]
 * @throws {ValueError} E_LAYER, E_SEQUENCE_LENGTH; {ShapeError} E_SHAPE: as Rnn
 * @source torch.nn.LSTM (Hochreiter and Schmidhuber 1997), its weights' names, gate order (i, f, g, o) and first values too; lengths as in
 *   Rnn. Deviations: no projections, no input without a batch dim.
 * @example
 * const { output, cn } = new nn.Lstm(2, 3, { numLayers: 2 }).forward(zeros([5, 4, 2]));
 * [output.shape, cn.shape]; // => [[5, 4, 3], [2, 4, 3]]
 */
export class Lstm extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super("lstm", { inputSize, hiddenSize }, options);
  }

  forward(x: Tensor, inputs: RecurrentInputs = {}): LstmResult {
    const { output, hn, cn } = this.run(x, inputs);
    return { output, hn, cn: cn! };
  }
}

/**
 * Gated recurrent unit: r, z = sigmoid(x W_ih^T + b_ih + h W_hh^T + b_hh); n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn)); h' = (1 - z) n + z h.
 *
 * @shape x [T, B, C] ([B, T, C] with batchFirst) -> output [T, B, D H] ([B, T, D H]), hn [L D, B, H]
 * @throws {ValueError} E_LAYER, E_SEQUENCE_LENGTH; {ShapeError} E_SHAPE: as Rnn
 * @source torch.nn.GRU (Cho et al. 2014; the reset gate after the product), its weights' names, gate order (r, z, n) and first values too;
 *   lengths as in Rnn. Deviation: no input without a batch dim.
 */
export class Gru extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super("gru", { inputSize, hiddenSize }, options);
  }

  forward(x: Tensor, { h0, lengths }: Omit<RecurrentInputs, "c0"> = {}): RecurrentResult {
    const { output, hn } = this.run(x, { h0, lengths });
    return { output, hn };
  }
}
