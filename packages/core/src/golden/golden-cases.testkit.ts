/** @file Runs the cases of a golden file of ops: inputs in, output and gradients compared with PyTorch's. */
import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { readGolden, worstError } from "./golden-file.testkit.js";

type Inputs = readonly [Tensor, Tensor, Tensor];

/** Case name of the golden script -> the same in core. */
export type GoldenCases = Readonly<Record<string, (...inputs: Inputs) => Tensor>>;

/** Sums of some 40 products in f32 on both sides, in different orders. */
const tolerance = { absolute: 3e-6, relative: 1e-5 };

/** Tests for every case of `<name>.safetensors`, which must be those of `cases`. */
export function describeGoldenCases(name: string, cases: GoldenCases): void {
  const { tensors } = readGolden(name);
  const names = [...new Set([...tensors.keys()].map((key) => key.split("/")[0]!))].sort();

  describe(`${name} against PyTorch`, () => {
    test("every golden case has a counterpart here, and every counterpart a golden case", () => {
      expect(Object.keys(cases).sort()).toEqual(names);
    });

    test.each(names)("%s gives the same output and gradients", (caseName) => {
      const stored = (part: string) => tensors.get(`${caseName}/${part}`);
      const inputs: Tensor[] = [];
      for (let i = 0; stored(`in/${i}`) !== undefined; i++) {
        const { data, shape, dtype } = stored(`in/${i}`)!;
        inputs.push(tensor(data, { shape, requiresGrad: dtype === "f32" }));
      }
      const out = cases[caseName]!(...(inputs as unknown as Inputs));
      expect(out.shape).toEqual(stored("out")!.shape);
      expect(worstError(out.dataSync(), stored("out")!.data, tolerance)).toBeLessThanOrEqual(1);
      const cotangent = stored("cotangent");
      if (cotangent === undefined) return;
      out
        .mul(tensor(cotangent.data, { shape: cotangent.shape }))
        .sum()
        .backward();
      for (const [i, input] of inputs.entries()) {
        const expected = stored(`grad/${i}`);
        expect(input.grad === undefined, `input ${i} has a gradient on one side only`).toBe(expected === undefined);
        if (expected === undefined) continue;
        expect(worstError(input.grad!.dataSync(), expected.data, tolerance), `gradient ${i}`).toBeLessThanOrEqual(1);
      }
    });
  });
}
