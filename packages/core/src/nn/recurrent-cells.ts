/** @file RnnCell, LstmCell and GruCell: one step at a time. Legend: B batch, C input size, H hidden size. */
import { type RecurrentCell, recurrentCellSizes } from "../backend/recurrent-cell.js";
import { ShapeError } from "../errors.js";
import { reshape } from "../ops/reshape.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { uniformParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";
import { assertNonlinearity, type Nonlinearity } from "./recurrent.js";
import { equalLengths, runCell, zeros } from "./recurrent-layer.js";

export interface RecurrentCellOptions {
  /** Default true. */
  readonly bias?: boolean;
}

export interface RnnCellOptions extends RecurrentCellOptions {
  /** Default "tanh". */
  readonly nonlinearity?: Nonlinearity;
}

/** States of an LstmCell, [B, H] each. */
export interface LstmState {
  readonly h: Tensor;
  readonly c: Tensor;
}

abstract class CellLayer extends Module {
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly cell: RecurrentCell;
  weight_ih: Parameter;
  weight_hh: Parameter;
  bias_ih: Parameter | undefined;
  bias_hh: Parameter | undefined;

  constructor(
    cell: RecurrentCell,
    sizes: { inputSize: number; hiddenSize: number },
    { bias = true }: RecurrentCellOptions,
  ) {
    super();
    assertSizes(this.constructor.name, sizes);
    const { inputSize, hiddenSize } = sizes;
    this.cell = cell;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    const rows = recurrentCellSizes[cell].numGates * hiddenSize;
    const bound = 1 / Math.sqrt(hiddenSize);
    this.weight_ih = uniformParameter([rows, inputSize], bound);
    this.weight_hh = uniformParameter([rows, hiddenSize], bound);
    this.bias_ih = bias ? uniformParameter([rows], bound) : undefined;
    this.bias_hh = bias ? uniformParameter([rows], bound) : undefined;
  }

  protected step(
    x: Tensor,
    given: { readonly h: Tensor | undefined; readonly c?: Tensor | undefined },
  ): readonly Tensor[] {
    const B = x.shape[0] ?? 0;
    this.#assertShape("x", x, [B, this.inputSize]);
    const state = [B, this.hiddenSize];
    for (const [name, tensor] of Object.entries(given))
      if (tensor !== undefined) this.#assertShape(name, tensor, state);
    const h0 = given.h ?? zeros(x, state);
    const c0 = recurrentCellSizes[this.cell].hasCellState ? (given.c ?? zeros(x, state)) : undefined;
    const weights = {
      weightIh: this.weight_ih,
      weightHh: this.weight_hh,
      biasIh: this.bias_ih,
      biasHh: this.bias_hh,
    };
    const states = { h0, c0, lengths: equalLengths(x, B, 1), isReversed: false };
    return runCell(this.cell, reshape(x, [B, 1, this.inputSize]), { weights, states });
  }

  #assertShape(name: string, { shape }: Tensor, expected: readonly number[]): void {
    if (shapesEqual(shape, expected)) return;
    throw new ShapeError(
      `${this.constructor.name}: ${name} is ${formatShape(shape)}; it must be [B,${expected[1]}], the same batch in all.`,
      { [name]: shape, expected },
    );
  }
}

/**
 * One step of Rnn.
 * @shape x [B, C], h [B, H] (zeros when absent) -> [B, H]
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.RNNCell, its weights' names too
 */
export class RnnCell extends CellLayer {
  constructor(inputSize: number, hiddenSize: number, { nonlinearity = "tanh", ...options }: RnnCellOptions = {}) {
    super(assertNonlinearity("RnnCell", nonlinearity), { inputSize, hiddenSize }, options);
  }
  forward(x: Tensor, h?: Tensor): Tensor {
    return this.step(x, { h })[1]!;
  }
}

/**
 * One step of Lstm.
 * @shape x [B, C], state of h and c [B, H] (zeros when absent) -> h and c [B, H]
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.LSTMCell, its weights' names too
 */
export class LstmCell extends CellLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super("lstm", { inputSize, hiddenSize }, options);
  }
  forward(x: Tensor, state?: LstmState): LstmState {
    const [, h, c] = this.step(x, { h: state?.h, c: state?.c });
    return { h: h!, c: c! };
  }
}

/**
 * One step of Gru.
 * @shape x [B, C], h [B, H] (zeros when absent) -> [B, H]
 * @throws {ValueError} E_LAYER; {ShapeError} E_SHAPE
 * @source torch.nn.GRUCell, its weights' names too
 */
export class GruCell extends CellLayer {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super("gru", { inputSize, hiddenSize }, options);
  }
  forward(x: Tensor, h?: Tensor): Tensor {
    return this.step(x, { h })[1]!;
  }
}
