/** @file The recurrent cells that have a fused kernel, and how many vectors of H numbers each of them has to do with. */

/** "tanh" and "relu" are the two plain cells, named by their activation. */
export type RecurrentCell = "lstm" | "gru" | "tanh" | "relu";

export interface RecurrentCellSizes {
  /** Blocks of H pre-activations. */
  readonly numGates: number;
  /** Blocks of H numbers a step that the backward pass reads again, the hidden state before the step aside. */
  readonly numSaved: number;
  /** Whether there is a second state beside the hidden one. */
  readonly hasCellState: boolean;
  /** Whether the hidden side's pre-activations have gradients unlike the input side's: the reset gate stands between them. */
  readonly hasOwnHiddenGradient: boolean;
}

export const recurrentCellSizes: Readonly<Record<RecurrentCell, RecurrentCellSizes>> = {
  lstm: { numGates: 4, numSaved: 6, hasCellState: true, hasOwnHiddenGradient: false },
  gru: { numGates: 3, numSaved: 4, hasCellState: false, hasOwnHiddenGradient: true },
  tanh: { numGates: 1, numSaved: 1, hasCellState: false, hasOwnHiddenGradient: false },
  relu: { numGates: 1, numSaved: 1, hasCellState: false, hasOwnHiddenGradient: false },
};
