/**
 * @file A 128-bit hash of everything a step changes, by which replicas compare themselves (L2).
 *
 * Tensors are hashed in blocks, so that a device can hash many at once; the hash of a state is that of the blocks' digits and of its counters.
 */
import type { Backend, TensorView } from "../backend/backend.js";
import { numElements } from "../backend/strided.js";
import { Hash128 } from "../hash/hash128.js";

/** Words of a block; the last of a tensor is shorter. */
export const hashBlockWords = 65_536;

/** What a step changes. Tensors are contiguous and in a fixed order. */
export interface HashedState {
  readonly parameters: Iterable<TensorView>;
  readonly buffers: Iterable<TensorView>;
  readonly optimizer: Iterable<TensorView>;
  /** What a step changes beside tensors, as text: the step, the optimizer's counters. */
  readonly counters: string;
}

/**
 * Hash of parameters, buffers, optimizer state and counters, in this order, on a backend that answers at once.
 *
 * @source none: ours
 */
export function stateHash(backend: Backend, state: HashedState): string {
  const digests = tensorsOf(state).flatMap((tensor) => blocksOf(tensor).map((block) => backend.kernels.hash([block])));
  return combined(digests, state.counters);
}

/** As `stateHash`, to the same digits, on every backend: of the state as it is at the call. @source none: ours */
export async function stateHashAsync(backend: Backend, state: HashedState): Promise<string> {
  if (backend.late === undefined) return stateHash(backend, state);
  return combined(await backend.late.hashBlocks(tensorsOf(state), hashBlockWords), state.counters);
}

/** Hash of a text, the same on every machine. @source none: ours */
export function hashText(backend: Backend, text: string): string {
  const codes = codesOf(text);
  const buffer = backend.allocate(codes.byteLength);
  try {
    backend.write(buffer, 0, codes);
    return backend.kernels.hash([{ buffer, offset: 0, shape: [codes.length], strides: [1], dtype: "i32" }]);
  } finally {
    backend.free(buffer);
  }
}

function tensorsOf({ parameters, buffers, optimizer }: HashedState): TensorView[] {
  return [...parameters, ...buffers, ...optimizer];
}

function blocksOf({ buffer, offset, shape, dtype }: TensorView): TensorView[] {
  const length = numElements(shape);
  const blocks: TensorView[] = [];
  for (let begin = 0; begin < length; begin += hashBlockWords) {
    const size = Math.min(hashBlockWords, length - begin);
    blocks.push({ buffer, offset: offset + begin, shape: [size], strides: [1], dtype });
  }
  return blocks;
}

function combined(digests: readonly string[], counters: string): string {
  return new Hash128().update(new Uint8Array(codesOf(`${digests.join("")} ${counters}`).buffer)).digest();
}

function codesOf(text: string): Int32Array<ArrayBuffer> {
  return Int32Array.from(text, (character) => character.codePointAt(0) ?? 0);
}
