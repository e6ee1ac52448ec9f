/**
 * @file What Rnn, Lstm and Gru share: weights by PyTorch's names, layers, directions, lengths.
 *
 * Legend: B batch, T sequence, C input size, H hidden size, G gates, L layers, D directions (1 or 2).
 */
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import { ShapeError, ValueError } from "../errors.js";
import type { StructuralOp } from "../ops/apply.js";
import { add } from "../ops/arithmetic.js";
import { concat, stack } from "../ops/concat.js";
import { dropout } from "../ops/dropout.js";
import { linear } from "../ops/linear.js";
import { transpose } from "../ops/permute.js";
import { gruOp, lstmOp, type RecurrentAttrs, rnnReluOp, rnnTanhOp } from "../ops/recurrent.js";
import { select } from "../ops/slice.js";
import { zerosLike } from "../tensor/create.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { assertProbability } from "./dropout-mask.js";
import { uniformParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface RecurrentOptions {
  /** Layers, each on the output of the one before. Default 1. */
  readonly numLayers?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Whether sequences are [B, T, C] instead of [T, B, C]. Default false. */
  readonly batchFirst?: boolean;
  /** In training, the probability of dropping an output of each layer but the last, in [0, 1). Default 0. */
  readonly dropout?: number;
  /** Adds a second direction, from the last step to the first; outputs lie side by side. Default false. */
  readonly bidirectional?: boolean;
}

/** How many steps each sequence of a batch has, 1..T. */
export type SequenceLengths = Tensor | readonly number[] | Int32Array;

export interface RecurrentInputs {
  /** First hidden states [L D, B, H]. Default zeros. */
  readonly h0?: Tensor | undefined;
  /** First cell states, as h0: Lstm only. */
  readonly c0?: Tensor | undefined;
  /** Default: every sequence has T steps. */
  readonly lengths?: SequenceLengths | undefined;
}

export interface RecurrentResult {
  /** [T, B, D H], or [B, T, D H] with batchFirst; zeros past each sequence's length. */
  readonly output: Tensor;
  /** States after each sequence's last step [L D, B, H]; of the second direction, after its first. */
  readonly hn: Tensor;
}

const ops: Readonly<Record<RecurrentCell, StructuralOp<RecurrentAttrs>>> = {
  lstm: lstmOp,
  gru: gruOp,
  tanh: rnnTanhOp,
  relu: rnnReluOp,
};

/** Weights of one cell, and the numbers it works on. */
export interface CellWeights {
  /** [G H, C], [G H, H] */
  readonly weightIh: Tensor;
  readonly weightHh: Tensor;
  /** [G H] each */
  readonly biasIh: Tensor | undefined;
  readonly biasHh: Tensor | undefined;
}

export interface CellStates {
  readonly h0: Tensor;
  readonly c0: Tensor | undefined;
  readonly lengths: Tensor;
  readonly isReversed: boolean;
}

/** One cell over x [B, T, C]: out [B, T, H], hn [B, H], and cn where there is one. */
export function runCell(
  cell: RecurrentCell,
  x: Tensor,
  { weights, states }: { weights: CellWeights; states: CellStates },
) {
  const { weightIh, weightHh, biasIh, biasHh } = weights;
  const { hasOwnHiddenGradient } = recurrentCellSizes[cell];
  const noBias = zeros(x, [weightHh.shape[0]!]);
  // Where the two biases only ever meet as a sum, they are added once for all steps.
  const isJoined = !hasOwnHiddenGradient && biasIh !== undefined && biasHh !== undefined;
  const gates = linear(x, weightIh, isJoined ? add(biasIh, biasHh) : biasIh); // [B, T, G H]
  const { h0, c0, lengths, isReversed } = states;
  const hiddenBias = isJoined ? noBias : (biasHh ?? noBias);
  const inputs = [gates, weightHh, hiddenBias, h0, ...(c0 === undefined ? [] : [c0]), lengths];
  return ops[cell].apply(inputs, { isReversed });
}

export function zeros({ backend }: Tensor, shape: readonly number[]): Tensor {
  return zerosLike({ backend, dtype: "f32", shape });
}

/** B times `value`, i32. */
export function equalLengths({ backend }: Tensor, batch: number, value: number): Tensor {
  const out = Tensor.allocate(backend, [batch], "i32");
  if (batch > 0) backend.kernels.fill(out, value);
  return out;
}

/** The base of Rnn, Lstm and Gru. @shape see them @source none: ours */
export abstract class RecurrentLayer extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly options: Readonly<Required<RecurrentOptions>>;
  readonly cell: RecurrentCell;

  constructor(cell: RecurrentCell, sizes: { inputSize: number; hiddenSize: number }, options: RecurrentOptions) {
    super();
    const { numLayers = 1, bias = true, batchFirst = false, dropout: probability = 0, bidirectional = false } = options;
    assertSizes(this.constructor.name, { ...sizes, numLayers });
    assertProbability(this.constructor.name, probability, "dropout");
    this.cell = cell;
    this.inputSize = sizes.inputSize;
    this.hiddenSize = sizes.hiddenSize;
    this.options = { numLayers, bias, batchFirst, dropout: probability, bidirectional };
    this.#makeWeights();
  }

  get #numDirections(): number {
    return this.options.bidirectional ? 2 : 1;
  }

  /** Fields weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, and the same with _reverse, layer by layer. */
  #makeWeights(): void {
    const H = this.hiddenSize;
    const bound = 1 / Math.sqrt(H);
    const rows = recurrentCellSizes[this.cell].numGates * H;
    const fields = this as unknown as Record<string, Parameter>;
    for (const suffix of this.#suffixes().flat()) {
      const isFirst = suffix.startsWith("l0");
      const width = isFirst ? this.inputSize : H * this.#numDirections;
      fields[`weight_ih_${suffix}`] = uniformParameter([rows, width], bound);
      fields[`weight_hh_${suffix}`] = uniformParameter([rows, H], bound);
      if (!this.options.bias) continue;
      fields[`bias_ih_${suffix}`] = uniformParameter([rows], bound);
      fields[`bias_hh_${suffix}`] = uniformParameter([rows], bound);
    }
  }

  /** By layer and direction. */
  #suffixes(): string[][] {
    const directions = this.options.bidirectional ? ["", "_reverse"] : [""];
    return Array.from({ length: this.options.numLayers }, (_, l) => directions.map((d) => `l${l}${d}`));
  }

  #weightsOf(suffix: string): CellWeights {
    const fields = this as unknown as Record<string, Parameter | undefined>;
    return {
      weightIh: fields[`weight_ih_${suffix}`]!,
      weightHh: fields[`weight_hh_${suffix}`]!,
      biasIh: fields[`bias_ih_${suffix}`],
      biasHh: fields[`bias_hh_${suffix}`],
    };
  }

  /** All layers and directions. */
  protected run(x: Tensor, inputs: RecurrentInputs): RecurrentResult & { readonly cn: Tensor | undefined } {
    const { batchFirst, dropout: probability, numLayers } = this.options;
    this.#assertInputs(x, inputs);
    let sequence = batchFirst ? x : transpose(x, 0, 1); // [B, T, C]
    const [B, T] = sequence.shape as [number, number];
    const lengths = this.#lengthsOf(inputs.lengths, x, { B, T });
    const stateAt = (states: Tensor | undefined, place: number): Tensor =>
      states === undefined ? zeros(x, [B, this.hiddenSize]) : select(states, 0, place);
    const hidden: Tensor[] = [];
    const cells: Tensor[] = [];
    this.#suffixes().forEach((directions, layer) => {
      const outputs = directions.map((suffix, direction) => {
        const place = layer * this.#numDirections + direction;
        const c0 = recurrentCellSizes[this.cell].hasCellState ? stateAt(inputs.c0, place) : undefined;
        const states = { h0: stateAt(inputs.h0, place), c0, lengths, isReversed: direction === 1 };
        const [out, hn, cn] = runCell(this.cell, sequence, { weights: this.#weightsOf(suffix), states });
        hidden.push(hn!);
        if (cn !== undefined) cells.push(cn);
        return out!;
      });
      sequence = outputs.length === 1 ? outputs[0]! : concat(outputs, 2); // [B, T, D H]
      if (this.training && layer < numLayers - 1) sequence = dropout(sequence, probability);
    });
    const output = batchFirst ? sequence : transpose(sequence, 0, 1);
    return { output, hn: stack(hidden), cn: cells.length === 0 ? undefined : stack(cells) };
  }

  #assertInputs(x: Tensor, { h0, c0 }: RecurrentInputs): void {
    const name = this.constructor.name;
    const { batchFirst, numLayers } = this.options;
    const order = batchFirst ? "B,T" : "T,B";
    if (x.numDims !== 3 || x.shape[2] !== this.inputSize || x.shape[0] === 0 || x.shape[1] === 0) {
      throw new ShapeError(
        `${name}: x is ${formatShape(x.shape)}; it must be [${order},${this.inputSize}] with at least one step and one sequence.`,
        { x: x.shape, inputSize: this.inputSize },
      );
    }
    const expected = [numLayers * this.#numDirections, x.shape[batchFirst ? 0 : 1]!, this.hiddenSize];
    for (const [key, state] of Object.entries({ h0, c0 })) {
      if (state === undefined || shapesEqual(state.shape, expected)) continue;
      throw new ShapeError(
        `${name}: ${key} is ${formatShape(state.shape)}; it must be ${formatShape(expected)}, layers times directions, batch and hidden size.`,
        { [key]: state.shape, expected },
      );
    }
  }

  #lengthsOf(lengths: SequenceLengths | undefined, x: Tensor, { B, T }: { B: number; T: number }): Tensor {
    if (lengths === undefined) return equalLengths(x, B, T);
    const given = lengths instanceof Tensor ? lengths.dataSync() : lengths;
    if (given.length !== B) {
      throw new ShapeError(
        `${this.constructor.name}: there are ${given.length} lengths and ${B} sequences; there must be one for each.`,
        { lengths: given.length, batch: B },
      );
    }
    const position = Array.from(given).findIndex((length) => !Number.isInteger(length) || length < 1 || length > T);
    if (position >= 0) {
      throw new ValueError(
        `${this.constructor.name}: the length at position ${position} is ${given[position]}; it must be a whole number in 1..${T}, the steps of x.`,
        { position, length: given[position], steps: T },
        "E_SEQUENCE_LENGTH",
      );
    }
    if (lengths instanceof Tensor && lengths.dtype === "i32") return lengths;
    const out = Tensor.allocate(x.backend, [B], "i32");
    x.backend.write(out.buffer, 0, Int32Array.from(given));
    return out;
  }
}
