/**
 * @file Many sets of contiguous views in few launches: which buffers are bound together, and a table of where each view begins.
 *
 * Slots are the distinct buffers of a launch. A run is one set of views, all of `count` elements; runs whose views lie in the same slots are of
 * one kind. A workgroup takes one block of one run, so the work of an element depends on its run alone, not on what is launched with it.
 */
import type { DeviceBuffer, TensorView } from "@lockstep/core";
import type { KernelHost, Operands } from "./kernel.js";

export interface ViewRun {
  readonly views: readonly TensorView[];
  readonly count: number;
}

/** What one launch takes. */
export interface RunBatch {
  readonly slots: readonly DeviceBuffer[];
  /** By kind: the slot of each view. */
  readonly kinds: readonly (readonly number[])[];
  /** A row of each run: the workgroup after its last, elements, kind, offset of each view. */
  readonly table: readonly number[];
  readonly numRuns: number;
  readonly numGroups: number;
}

/** A kernel grows with its buffers: more than this many are not bound, though some adapters could. */
const mostBuffers = 16;

/** The runs that have elements, in order, in as few batches as the adapter's bindings allow beside `numOther` buffers of the kernel. */
export function batchRuns(
  host: KernelHost,
  runs: readonly ViewRun[],
  { blockLength, numOther }: { readonly blockLength: number; readonly numOther: number },
): readonly RunBatch[] {
  // One more is the table's.
  const maxSlots = Math.min(host.limits.maxStorageBuffersPerShaderStage, mostBuffers) - 1 - numOther;
  const batches: RunBatch[] = [];
  let open = new OpenBatch(blockLength);
  for (const run of runs) {
    if (run.count === 0) continue;
    if (open.numSlotsWith(run) > maxSlots && open.numRuns > 0) {
      batches.push(open.close());
      open = new OpenBatch(blockLength);
    }
    open.add(run);
  }
  if (open.numRuns > 0) batches.push(open.close());
  return batches;
}

class OpenBatch {
  readonly #blockLength: number;
  readonly #slots = new Map<DeviceBuffer, number>();
  readonly #kinds = new Map<string, { readonly index: number; readonly slots: readonly number[] }>();
  readonly #table: number[] = [];
  numRuns = 0;
  #numGroups = 0;

  constructor(blockLength: number) {
    this.#blockLength = blockLength;
  }

  numSlotsWith({ views }: ViewRun): number {
    let count = this.#slots.size;
    for (const [i, { buffer }] of views.entries()) {
      if (!this.#slots.has(buffer) && views.findIndex((view) => view.buffer === buffer) === i) count++;
    }
    return count;
  }

  add({ views, count }: ViewRun): void {
    const slots = views.map(({ buffer }) => {
      const slot = this.#slots.get(buffer) ?? this.#slots.size;
      this.#slots.set(buffer, slot);
      return slot;
    });
    const key = slots.join();
    const kind = this.#kinds.get(key) ?? { index: this.#kinds.size, slots };
    this.#kinds.set(key, kind);
    this.#numGroups += Math.ceil(count / this.#blockLength);
    this.#table.push(this.#numGroups, count, kind.index, ...views.map(({ offset }) => offset));
    this.numRuns++;
  }

  close(): RunBatch {
    return {
      slots: [...this.#slots.keys()],
      kinds: [...this.#kinds.values()].map(({ slots }) => slots),
      table: this.#table,
      numRuns: this.numRuns,
      numGroups: this.#numGroups,
    };
  }
}

/** How a kernel uses view i of a run: by `NAMEi_at(kind, place)` and, where it is written, `NAMEi_put(kind, place, value)`. */
export interface RunAccess {
  readonly type: "f32" | "i32";
  readonly isWritten: readonly boolean[];
}

/** Names a module's dependence on a batch. */
export function accessKey({ kinds }: RunBatch): string {
  return kinds.map((slots) => slots.join()).join("|");
}

/** Operands `slot0`, `slot1`, ... and `runs`, the table. */
export function runOperands({ slots, kinds }: RunBatch, { type, isWritten }: RunAccess): Operands {
  const written = new Set(kinds.flatMap((places) => places.filter((_, view) => isWritten[view])));
  const operands: Record<string, Operands[string]> = { runs: "read i32" };
  for (const slot of slots.keys()) operands[`slot${slot}`] = written.has(slot) ? `write ${type}` : `read ${type}`;
  return operands;
}

/** Views for the operands of `runOperands`. */
export function runViews(
  host: KernelHost,
  { slots, table }: RunBatch,
  type: "f32" | "i32",
): Record<string, TensorView> {
  const views: Record<string, TensorView> = { runs: host.constantWords(table) };
  for (const [slot, buffer] of slots.entries()) {
    views[`slot${slot}`] = { buffer, offset: 0, shape: [1], strides: [1], dtype: type };
  }
  return views;
}

/** Accessors, and `runOf(group)`: the run that a workgroup works on. For kernels with the parameters of `runParams`. */
export function runFunctions({ kinds }: RunBatch, { type, isWritten }: RunAccess): string {
  const width = 3 + isWritten.length;
  const accessors = isWritten.map((canWrite, view) => {
    const slots = kinds.map((places) => places[view]!);
    const read = `fn v${view}_at(kind: u32, i: u32) -> ${type} {${byKind(slots, (slot) => `return slot${slot}_at(i);`)}}`;
    if (!canWrite) return read;
    const put = byKind(slots, (slot) => `slot${slot}_put(i, value); return;`);
    return `${read}\nfn v${view}_put(kind: u32, i: u32, value: ${type}) {${put}}`;
  });
  return `
fn runOf(group: u32) -> u32 {
  var low = 0u;
  var high = p.numRuns - 1u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (group < u32(runs_at(middle * ${width}u))) { high = middle; } else { low = middle + 1u; }
  }
  return low;
}
${accessors.join("\n")}`;
}

export const runParams = { numRuns: "u32", numGroups: "u32" } as const;

/**
 * Where a workgroup works: `count` and `kind` of its run, `first` (its own block in the run), and `at0`, `at1`, ..., where the views begin.
 * Groups past `p.numGroups` have to be left out before.
 */
export function runPlace(numViews: number): string {
  const width = 3 + numViews;
  return `
  let run = runOf(group);
  let row = run * ${width}u;
  var groupsBefore = 0u;
  if (run > 0u) { groupsBefore = u32(runs_at(row - ${width}u)); }
  let first = group - groupsBefore;
  let count = u32(runs_at(row + 1u));
  let kind = u32(runs_at(row + 2u));
${Array.from({ length: numViews }, (_, view) => `  let at${view} = u32(runs_at(row + ${3 + view}u));`).join("\n")}`;
}

/** The statement of the first kind that fits; one alone needs no question. */
export function byKind(slots: readonly number[], statement: (slot: number) => string): string {
  const last = slots.at(-1)!;
  const questions = slots
    .slice(0, -1)
    .flatMap((slot, kind) => (slot === last ? [] : [` if (kind == ${kind}u) { ${statement(slot)} }`]));
  return `${questions.join("")} ${statement(last)} `;
}
