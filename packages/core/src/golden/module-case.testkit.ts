/** @file Compares a module with what PyTorch wrote of it: output, gradients of its input and weights, buffers after the pass. */
import { expect } from "vitest";
import type * as nn from "../nn/index.js";
import "../ops/tensor-methods.js";
import type { HostTensor } from "../serialization/host-tensor.js";
import type { SafetensorsFile } from "../serialization/safetensors.js";
import { tensor } from "../tensor/create.js";
import { worstError } from "./golden-file.testkit.js";

export interface ModuleCaseOptions {
  /** Prefix of the case's tensors. */
  readonly name: string;
  readonly tolerance: { readonly absolute: number; readonly relative: number };
}

/** The weights stored for a case, by their names in the module. */
export function weightsOf(tensors: SafetensorsFile["tensors"], name: string): [string, HostTensor][] {
  const prefix = `${name}/weight/`;
  return [...tensors]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value]);
}

/** Loads the weights, runs the module forward and backward, compares everything that is stored. */
export function expectModuleCase(
  tensors: SafetensorsFile["tensors"],
  module: nn.Layer,
  { name, tolerance }: ModuleCaseOptions,
): void {
  const part = (suffix: string) => tensors.get(`${name}/${suffix}`)!;
  module.loadStateDict(weightsOf(tensors, name));
  const x = tensor(part("x").data, { shape: part("x").shape, requiresGrad: true });
  const out = module.forward(x);
  expect(out.shape).toEqual(part("out").shape);
  expect(worstError(out.dataSync(), part("out").data, tolerance)).toBeLessThanOrEqual(1);
  out
    .mul(tensor(part("cotangent").data, { shape: out.shape }))
    .sum()
    .backward();
  for (const [key, leaf] of [["x", x] as const, ...module.namedParameters()]) {
    expect(worstError(leaf.grad!.dataSync(), part(`grad/${key}`).data, tolerance), key).toBeLessThanOrEqual(1);
  }
  for (const [key, buffer] of module.namedBuffers()) {
    expect(worstError(buffer.dataSync(), part(`after/${key}`).data, tolerance), key).toBeLessThanOrEqual(1);
  }
}
