import { ValueError } from "../errors.js";
import { eq, where } from "../ops/compare.js";
import { embedding } from "../ops/embedding.js";
import { unsqueeze } from "../ops/reshape.js";
import type { Tensor } from "../tensor/tensor.js";
import { normalParameter } from "./init.js";
import { assertSizes } from "./linear.js";
import { Module } from "./module.js";
import type { Parameter } from "./parameter.js";

export interface EmbeddingOptions {
  /** A row that starts as zeros and gets no gradient; negative counts from the end. Default: none. */
  readonly paddingIdx?: number;
}

/**
 * Rows of a table by number.
 *
 * @shape ids [...] i32 -> [..., embedDim]; weight [numRows, embedDim]
 * @throws {ValueError} E_LAYER when a size is not a whole number of at least 1, or paddingIdx no row.
 * @source torch.nn.Embedding, its initial weights too: N(0, 1).
 */
export class Embedding extends Module {
  weight: Parameter;
  readonly paddingIdx: number | undefined;

  constructor(numRows: number, embedDim: number, { paddingIdx }: EmbeddingOptions = {}) {
    super();
    assertSizes("Embedding", { numRows, embedDim });
    this.paddingIdx = paddingRow("Embedding", paddingIdx, numRows);
    this.weight = normalParameter([numRows, embedDim], 1);
    clearRow(this.weight, this.paddingIdx);
  }

  forward(ids: Tensor): Tensor {
    const rows = embedding(this.weight, ids);
    if (this.paddingIdx === undefined) return rows;
    return where(unsqueeze(eq(ids, this.paddingIdx), -1), rows.detach(), rows);
  }
}

/** The row that a paddingIdx means. @throws {ValueError} E_LAYER */
export function paddingRow(layer: string, paddingIdx: number | undefined, numRows: number): number | undefined {
  if (paddingIdx === undefined) return undefined;
  const row = paddingIdx < 0 ? paddingIdx + numRows : paddingIdx;
  if (Number.isInteger(row) && row >= 0 && row < numRows) return row;
  throw new ValueError(
    `${layer}: paddingIdx is ${paddingIdx}; it must be a whole number in ${-numRows}..${numRows - 1}, a row of the table.`,
    { paddingIdx, numRows },
    "E_LAYER",
  );
}

/** Zeros in one row of a table. */
export function clearRow(weight: Parameter, row: number | undefined): void {
  if (row === undefined) return;
  const width = weight.shape[1]!;
  weight.backend.write(weight.buffer, weight.offset + row * width, new Float32Array(width));
}
