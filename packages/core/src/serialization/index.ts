export type { HostTensor } from "./host-tensor.js";
export {
  type DecodeSafetensorsOptions,
  decodeSafetensors,
  type EncodeSafetensorsOptions,
  encodeSafetensors,
  type SafetensorsFile,
  type StoredTensor,
} from "./safetensors.js";
export type { StoredDType } from "./safetensors-header.js";
export { type NamedTensors, stateDictFromSafetensors, stateDictToSafetensors } from "./state-dict-file.js";
