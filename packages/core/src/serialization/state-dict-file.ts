/** @file State dicts as safetensors bytes, and back. */
import { currentBackend } from "../backend/current-backend.js";
import { Tensor } from "../tensor/tensor.js";
import type { HostTensor } from "./host-tensor.js";
import {
  type DecodeSafetensorsOptions,
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
} from "./safetensors.js";

/** Tensors by name. A Map keeps its order in the file. */
export type NamedTensors = Iterable<readonly [string, Tensor]> | Readonly<Record<string, Tensor>>;

function entriesOf(named: NamedTensors): (readonly [string, Tensor])[] {
  return Symbol.iterator in named ? [...(named as Iterable<readonly [string, Tensor]>)] : Object.entries(named);
}

/**
 * Reads all tensors and writes them as one safetensors file, in order.
 *
 * @example
 * const model = new nn.Linear(2, 3);
 * const bytes = await stateDictToSafetensors(new nn.Linear(1, 1).stateDict(), { metadata: { format: "lockstep" } });
 * [...decodeSafetensors(bytes).tensors.keys()]; // => ["weight", "bias"]
 */
export async function stateDictToSafetensors(
  stateDict: NamedTensors,
  options: EncodeSafetensorsOptions = {},
): Promise<Uint8Array> {
  const host: [string, HostTensor][] = [];
  for (const [name, tensor] of entriesOf(stateDict)) {
    host.push([name, { dtype: tensor.dtype, shape: tensor.shape, data: await tensor.data() }]);
  }
  return encodeSafetensors(host, options);
}

/**
 * The tensors of a safetensors file on the current backend, in the current scope: the caller disposes them.
 * @throws {FormatError} E_FORMAT when the bytes are no well-formed file.
 */
export function stateDictFromSafetensors(
  bytes: Uint8Array,
  options: DecodeSafetensorsOptions = {},
): Map<string, Tensor> {
  const backend = currentBackend();
  const stateDict = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data }] of decodeSafetensors(bytes, options).tensors) {
    const tensor = Tensor.allocate(backend, shape, dtype);
    backend.write(tensor.buffer, tensor.offset, data);
    stateDict.set(name, tensor);
  }
  return stateDict;
}
