import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/cpu-backend.js";
import { Linear, Parameter } from "../nn/index.js";
import { full } from "../tensor/create.js";
import { Tensor } from "../tensor/tensor.js";
import { parametersInFlatOrder, treeAccumulator } from "../train/index.js";
import { WeightEma } from "./index.js";

const backend = createCpuBackend();
function parameterOf(values: readonly number[]): Parameter {
  const t = Tensor.allocate(backend, [values.length], "f32");
  backend.write(t.buffer, 0, Float32Array.from(values));
  return new Parameter(t);
}
const set = (p: Tensor, values: readonly number[]) => backend.write(p.buffer, p.offset, Float32Array.from(values));

describe("WeightEma", () => {
  test("begins with the weights and follows them, faster at first with a warm-up", () => {
    const p = parameterOf([1, 2]);
    const [plain, warm] = [new WeightEma([p], { decay: 0.75 }), new WeightEma([p], { decay: 0.75, warmup: true })];
    const valuesOf = (ema: WeightEma) => [...ema.namedState()].map(([name, t]) => [name, ...t.dataSync()]);
    expect(valuesOf(plain)).toEqual([["0.average", 1, 2]]);
    set(p, [5, -2]);
    plain.update();
    warm.update();
    expect(valuesOf(plain)).toEqual([["0.average", 2, 1]]);
    // (1 + 1) / (10 + 1) of the average stays.
    const share = Math.fround(2 / 11);
    const rest = Math.fround(1 - 2 / 11);
    const mix = (a: number, b: number) => Math.fround(Math.fround(share * a) + Math.fround(rest * b));
    expect(valuesOf(warm)).toEqual([["0.average", mix(1, 5), mix(2, -2)]]);
    plain.reset();
    expect([valuesOf(plain), plain.numUpdates]).toEqual([[["0.average", 5, -2]], 0]);
  });

  test("swaps to the bit and back, and is not updated meanwhile", () => {
    const p = parameterOf([0.1, 1e-42]);
    const ema = new WeightEma([p], { decay: 0.5 });
    set(p, [3, 4]);
    const version = p.storage.version;
    ema.swap();
    expect([...p.dataSync()]).toEqual([Math.fround(0.1), Math.fround(1e-42)]);
    expect(p.storage.version).toBeGreaterThan(version);
    expect(() => ema.update()).toThrow(expect.objectContaining({ code: "E_STATE" }));
    ema.swap();
    expect([...p.dataSync()]).toEqual([3, 4]);
    ema.update();
    expect(ema.counters()).toEqual({ numUpdates: 1 });
  });

  test("leaves frozen parameters out, and needs one that is not", () => {
    const [a, b] = [parameterOf([1]), parameterOf([2])];
    a.requiresGrad = false;
    expect([...new WeightEma([a, b]).namedState()].map(([name]) => name)).toEqual(["1.average"]);
    expect(() => new WeightEma([a])).toThrow(
      "WeightEma: there is no parameter that is trained; there must be at least one.",
    );
  });

  test("refuses a decay out of range and counters that are none", () => {
    expect(() => new WeightEma([parameterOf([1])], { decay: -0.1 })).toThrow(
      "WeightEma: decay is -0.1; it must be in [0, 1).",
    );
    for (const counters of [undefined, {}, { numUpdates: -1 }]) {
      expect(() => new WeightEma([parameterOf([1])]).restoreCounters(counters)).toThrow(
        expect.objectContaining({ code: "E_FORMAT" }),
      );
    }
  });
});

describe("the flat gradient", () => {
  test("has no place for frozen parameters, and is made anew when they change", () => {
    const model = new Linear(2, 1);
    model.weight.requiresGrad = false;
    expect(parametersInFlatOrder(model)).toEqual([model.bias]);
    const take = () => {
      const tree = treeAccumulator(model, 1);
      for (const p of model.parameters()) if (p.requiresGrad) p.grad = full(p.shape, 4);
      tree.add(2);
      tree.assignGradients();
      return model.parameters().map(({ grad }) => grad && [...grad.dataSync()]);
    };
    expect(take()).toEqual([undefined, [2]]);
    model.weight.requiresGrad = true;
    expect(take()).toEqual([[2, 2], [2]]);
    for (const p of model.parameters()) p.requiresGrad = false;
    expect(() => treeAccumulator(model, 1)).toThrow("the model has no trained parameters");
  });
});
