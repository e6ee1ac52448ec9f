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

export interface TapeEntryOptions {
  readonly name: string;
  readonly edges: readonly Edge[];
  /** Aliases outside of scopes; the entry disposes them. */
  readonly saved: readonly Tensor[];
  readonly backward: BackwardFunction;
}

let nextSequence = 0;

export class TapeEntry implements GradSource {
  readonly name: string;
  /** Later entries have higher numbers: descending order is a valid order of backward. */
  readonly sequence = nextSequence++;
  readonly edges: readonly Edge[];
  readonly #backward: BackwardFunction;
  #saved: readonly Tensor[] | undefined;
  readonly #savedVersions: readonly number[];
  #numOwners = 0;

  constructor({ name, edges, saved, backward }: TapeEntryOptions) {
    this.name = name;
    this.edges = edges;
    this.#saved = saved;
    this.#savedVersions = saved.map((tensor) => tensor.storage.version);
    this.#backward = backward;
    for (const edge of edges) if (edge !== undefined && "entry" in edge) edge.entry.retain();
  }

  /** @throws {StateError} E_GRAPH_FREED after a backward without retainGraph; E_SAVED_CHANGED after an in-place write. */
  runBackward(cotangents: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    const saved = this.#saved;
    if (saved === undefined) {
      throw new StateError(
        `backward: the tape of "${this.name}" was freed by an earlier backward; a graph can be walked once. Pass { retainGraph: true } to the first call.`,
        { op: this.name },
        "E_GRAPH_FREED",
      );
    }
    for (let i = 0; i < saved.length; i++) {
      if (saved[i]!.storage.version !== this.#savedVersions[i]) {
        throw new StateError(
          `backward: a tensor that "${this.name}" saved was written in place after the forward pass; it must be unchanged until backward. Call backward before the optimizer step.`,
          { op: this.name },
          "E_SAVED_CHANGED",
        );
      }
    }
    return this.#backward(saved, cotangents);
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
    if (saved !== undefined) for (const tensor of saved) tensor.dispose();
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
  rest: { readonly saved: readonly Tensor[]; readonly backward: BackwardFunction },
): void {
  const entry = new TapeEntry({ name, edges: inputs.map(edgeOf), ...rest });
  outputs.forEach((output, i) => {
    if (output.dtype !== "f32") return;
    entry.retain();
    output.gradSource = entry;
    output.outputIndex = i;
  });
}
