/**
 * @file Runs a module on the inputs that a golden script wrote by name, and compares outputs and gradients.
 *
 * Tensors are named <case>/in/<name>, <case>/weight/<name>, <case>/out/<name>, <case>/cotangent/<name> and <case>/grad/<name>.
 */
import { expect } from "vitest";
import type * as nn from "../nn/index.js";
import "../ops/tensor-methods.js";
import { add } from "../ops/index.js";
import type { HostTensor } from "../serialization/host-tensor.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { worstError } from "./golden-file.testkit.js";

export type Named = Readonly<Record<string, Tensor>>;

export interface NamedCase {
  readonly module: nn.Module;
  readonly run: (inputs: Named) => Named;
}

type Tensors = ReadonlyMap<string, HostTensor>;

/** Gradients reach about 100; f32 sums of some hundred products on both sides. */
export const namedTolerance = { absolute: 3e-5, relative: 3e-5 };

/** The tensors under a prefix, by what follows it. */
export function storedUnder(tensors: Tensors, prefix: string): (readonly [string, HostTensor])[] {
  return [...tensors]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value] as const);
}

/** The names of all cases in a file, sorted. */
export function caseNames(tensors: Tensors): string[] {
  return [...new Set([...tensors.keys()].map((key) => key.split("/")[0]!))].sort();
}

/** Loads the weights, runs the case forward and backward, compares every output and every gradient. */
export function expectNamedCase(tensors: Tensors, name: string, { module, run }: NamedCase): void {
  module.loadStateDict(storedUnder(tensors, `${name}/weight/`));
  const entries = storedUnder(tensors, `${name}/in/`).map(([key, { data, shape, dtype }]): [string, Tensor] => [
    key,
    tensor(data, { shape, requiresGrad: dtype === "f32" }),
  ]);
  const outputs = run(Object.fromEntries(entries));
  const wanted = storedUnder(tensors, `${name}/out/`);
  expect(Object.keys(outputs).sort()).toEqual(wanted.map(([key]) => key).sort());
  for (const [key, { data, shape }] of wanted) {
    expect(outputs[key]!.shape, key).toEqual(shape);
    expect(worstError(outputs[key]!.dataSync(), data, namedTolerance), key).toBeLessThanOrEqual(1);
  }
  // The loss is the sum of all outputs under their cotangents.
  storedUnder(tensors, `${name}/cotangent/`)
    .map(([key, { data }]) => outputs[key]!.mul(tensor(data, { shape: outputs[key]!.shape })).sum())
    .reduce((total, term) => add(total, term))
    .backward();
  const floats = entries.filter(([, { dtype }]) => dtype === "f32");
  for (const [key, leaf] of [...floats, ...module.namedParameters()]) {
    const expected = tensors.get(`${name}/grad/${key}`)!;
    const error = worstError(leaf.grad!.dataSync(), expected.data, namedTolerance);
    expect(error, `gradient of ${key}`).toBeLessThanOrEqual(1);
  }
}
