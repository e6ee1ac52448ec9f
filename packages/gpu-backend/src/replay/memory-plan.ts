/**
 * @file Which memory each tensor of a recorded step has: tensors whose uses do not overlap share a slot.
 *
 * Greedy by size: the largest first, each into the smallest slot that is free over its uses. The plan follows from the recording alone.
 *
 * @source Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference", section 5.1 (greedy by size for shared objects)
 */
export interface PlannedTensor {
  readonly byteLength: number;
  /** First and last event that uses it. */
  readonly first: number;
  readonly last: number;
}

export interface MemoryPlan {
  /** Bytes of each slot. */
  readonly slots: readonly number[];
  /** Slot of each tensor. */
  readonly slotOf: readonly number[];
}

interface Slot {
  readonly byteLength: number;
  /** Uses so far, by their first event. */
  readonly uses: PlannedTensor[];
}

export function planMemory(tensors: readonly PlannedTensor[]): MemoryPlan {
  const slots: Slot[] = [];
  const slotOf = new Array<number>(tensors.length).fill(-1);
  const order = tensors.map((_, i) => i).sort((a, b) => tensors[b]!.byteLength - tensors[a]!.byteLength || a - b);
  for (const i of order) {
    const tensor = tensors[i]!;
    let best = -1;
    // Slots were made in descending order of size: the last that fits is the smallest.
    for (let s = slots.length - 1; s >= 0 && best < 0; s--) if (isFree(slots[s]!, tensor)) best = s;
    if (best < 0) best = slots.push({ byteLength: tensor.byteLength, uses: [] }) - 1;
    slots[best]!.uses.push(tensor);
    slotOf[i] = best;
  }
  return { slots: slots.map(({ byteLength }) => byteLength), slotOf };
}

function isFree({ uses }: Slot, { first, last }: PlannedTensor): boolean {
  return uses.every((use) => last < use.first || use.last < first);
}
