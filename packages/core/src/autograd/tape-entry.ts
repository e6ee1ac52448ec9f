/**
 * @file One recorded op: what its vjp needs, and where cotangents go next.
 *
 * The tape is a graph, not a list: an entry is owned by the output tensors that are alive and by the later entries that read it.
 * When the last owner goes, or when backward has passed, the saved tensors are released.
 */
import { StateError } from "../errors.js";
import type { GradSource, Tensor } from "../tensor/tensor.js";

/** Where a cotangent of an input goes: an earlier entry, a leaf, or nowhere. */
export type Edge = { readonly entry: TapeEntry; readonly outputIndex: number } | { readonly leaf: Tensor } | undefined;

/** How an entry turns output cotangents into input cotangents. `undefined` stands for zeros. */
export type BackwardFunction = (
  saved: readonly Tensor[],
  cotangents: readonly (Tensor | undefined)[],
) => readonly (Tensor | undefined)[];

/** A tensor that backward needs, and what it is to the op: input i has place i, output j has place -1 - j. */
export interface SavedTensor {
  readonly tensor: Tensor;
  readonly place: number;
}

export interface TapeEntryOptions {
  readonly name: string;
  readonly edges: readonly Edge[];
  readonly saved: readonly SavedTensor[];
  readonly backward: BackwardFunction;
}

let nextSequence = 0;

export class TapeEntry implements GradSource {
  readonly name: string;
  /** Later entries have higher numbers: descending order is a valid order of backward. */
  readonly sequence = nextSequence++;
  readonly edges: readonly Edge[];
  readonly #backward: BackwardFunction;
  /** Aliases outside of scopes. */
  #saved: readonly SavedTensor[] | undefined;
  readonly #savedVersions: readonly number[];
  #numOwners = 0;

  constructor({ name, edges, saved, backward }: TapeEntryOptions) {
    this.name = name;
    this.edges = edges;
    this.#saved = saved.map(({ tensor, place }) => ({ tensor: tensor.alias(), place }));
    this.#savedVersions = saved.map(({ tensor }) => tensor.storage.version);
    this.#backward = backward;
    for (const edge of edges) if (edge !== undefined && "entry" in edge) edge.entry.retain();
  }

  /**
   * Answers the cotangents of the inputs. With `isRecorded`, saved tensors get their places in the tape back, so that the vjp itself can be
   * differentiated.
   * @throws {StateError} E_GRAPH_FREED after a backward without retainGraph; E_SAVED_CHANGED after an in-place write.
   */
  runBackward(cotangents: readonly (Tensor | undefined)[], isRecorded: boolean): readonly (Tensor | undefined)[] {
    const saved = this.#saved;
    if (saved === undefined) {
      throw new StateError(
        `backward: the tape of "${this.name}" was freed by an earlier backward; a graph can be walked once. Pass { retainGraph: true } to the first call.`,
        { op: this.name },
        "E_GRAPH_FREED",
      );
    }
    for (let i = 0; i < saved.length; i++) {
      if (saved[i]!.tensor.storage.version !== this.#savedVersions[i]) {
        throw new StateError(
          `backward: a tensor that "${this.name}" saved was written in place after the forward pass; it must be unchanged until backward. Call backward before the optimizer step.`,
          { op: this.name },
          "E_SAVED_CHANGED",
        );
      }
    }
    const tensors = saved.map((item) => (isRecorded ? this.#connected(item) : item.tensor));
    return this.#backward(tensors, cotangents);
  }

  /** The saved tensor as the op saw it: with its place in the tape, in the current scope. */
  #connected({ tensor, place }: SavedTensor): Tensor {
    const edge = place < 0 ? { entry: this, outputIndex: -1 - place } : this.edges[place];
    if (edge === undefined || tensor.dtype !== "f32") return tensor;
    if ("leaf" in edge) return edge.leaf;
    const out = tensor.viewAs(tensor);
    edge.entry.retain();
    out.gradSource = edge.entry;
    out.outputIndex = edge.outputIndex;
    return out;
  }

  retain(): void {
    this.#numOwners++;
  }

  release(): void {
    // A list instead of recursion: graphs can be deeper than the stack.
    const pending: TapeEntry[] = [this];
    for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
      if (--entry.#numOwners > 0) continue;
      entry.freeSaved();
      for (const edge of entry.edges) if (edge !== undefined && "entry" in edge) pending.push(edge.entry);
    }
  }

  freeSaved(): void {
    const saved = this.#saved;
    this.#saved = undefined;
    if (saved !== undefined) for (const { tensor } of saved) tensor.dispose();
  }
}

export function edgeOf(tensor: Tensor): Edge {
  const source = tensor.gradSource;
  if (source !== undefined) return { entry: source as TapeEntry, outputIndex: tensor.outputIndex };
  return tensor.requiresGrad ? { leaf: tensor } : undefined;
}

/** Records that `outputs` were computed from `inputs`. Call only when an input requires grad and recording is on. */
export function record(
  name: string,
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  rest: { readonly saved: readonly SavedTensor[]; readonly backward: BackwardFunction },
): void {
  const entry = new TapeEntry({ name, edges: inputs.map(edgeOf), ...rest });
  outputs.forEach((output, i) => {
    if (output.dtype !== "f32") return;
    entry.retain();
    output.gradSource = entry;
    output.outputIndex = i;
  });
}
