import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { seedScope } from "../rng/index.js";
import { decodeSafetensors, stateDictFromSafetensors, stateDictToSafetensors } from "../serialization/index.js";
import { tensor } from "../tensor/create.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import * as nn from "./index.js";

class Inner extends nn.Module {
  scale = new nn.Parameter(tensor([1, 2]));
  constructor() {
    super();
    this.registerBuffer("count", tensor([0]));
  }
}
class Outer extends nn.Module {
  first = new Inner();
  list = [new nn.Linear(2, 3), new nn.Linear(3, 1, { bias: false })];
  shift = new nn.Parameter(tensor([5]));
  tied = this.list[0]!.weight;
  again = this.first;
}
const names = ["first.scale", "list.0.weight", "list.0.bias", "list.1.weight", "shift"];

describe("Module", () => {
  test("names parameters by field and index in the order of the fields, tied ones once", () => {
    expect(new Outer().namedParameters().map(([name]) => name)).toEqual(names);
  });

  test("lists buffers after parameters in the state dict", () => {
    const model = new Outer();
    expect([...model.stateDict().keys()]).toEqual([...names, "first.count"]);
    expect(model.namedBuffers().map(([name]) => name)).toEqual(["first.count"]);
  });

  test("switches training off and on everywhere", () => {
    const model = new Outer();
    const states = () => model.namedModules().map(([, module]) => module.training);
    model.eval();
    expect(states()).toEqual([false, false, false, false]);
    expect(model.train()).toBe(model);
    expect(states()).toEqual([true, true, true, true]);
  });

  test("keeps a frozen parameter in its state dict", () => {
    const model = new nn.Linear(1, 1);
    model.weight.requiresGrad = false;
    expect(model.namedParameters().map(([name]) => name)).toEqual(["weight", "bias"]);
  });

  test("keeps parameters out of scopes, and gives their memory back when disposed", () => {
    const { backend } = tensor([0]);
    scope(() => new nn.Linear(3, 4)).forward(tensor([[1, 2, 3]])); // the backend's own scratch memory
    const before = backend.memory().numBuffers;
    const model = scope(() => [new nn.Sequential<nn.Layer>(new nn.Linear(3, 4), new nn.Tanh())])[0]!;
    expect(backend.memory().numBuffers).toBe(before + 2);
    const pass = () =>
      scope(() =>
        model
          .forward(tensor([[1, 2, 3]]))
          .sum()
          .backward(),
      );
    pass();
    expect(backend.memory().numBuffers).toBe(before + 4);
    model.zeroGrad();
    expect(model.parameters().map(({ grad }) => grad)).toEqual([undefined, undefined]);
    expect(backend.memory().numBuffers).toBe(before + 2);
    pass();
    model.dispose();
    expect(backend.memory().numBuffers).toBe(before);
  });

  test("refuses two buffers of one name", () => {
    const model = new Inner();
    const message = 'registerBuffer: name is "count"; it must be new in this module, not empty and without a dot.';
    expect(() => model.registerBuffer("count", tensor([1]))).toThrow(
      expect.objectContaining({ code: "E_BUFFER_NAME", message }),
    );
  });
});

describe("state dicts", () => {
  const valuesOf = (model: nn.Module) => Array.from(model.stateDict(), ([name, t]) => [name, [...t.dataSync()]]);

  test("go to a file and into another model, to the bit", async () => {
    const [source, target] = [seedScope(1, () => new Outer()), seedScope(2, () => new Outer())];
    expect(valuesOf(source)).not.toEqual(valuesOf(target));
    const bytes = await stateDictToSafetensors(source.stateDict(), { metadata: { step: "7" } });
    expect(decodeSafetensors(bytes).metadata).toEqual({ step: "7" });
    target.loadStateDict(stateDictFromSafetensors(bytes));
    expect(valuesOf(target)).toEqual(valuesOf(source));
    const third = seedScope(3, () => new Outer());
    third.loadStateDict(decodeSafetensors(bytes).tensors);
    expect(valuesOf(third)).toEqual(valuesOf(source));
  });

  test("are refused whole when names or shapes differ, with nothing written", () => {
    const model = new nn.Linear(2, 3);
    const before = valuesOf(model);
    const weight = tensor(new Float32Array(6), { shape: [3, 2] });
    const narrow = tensor(new Float32Array(2));
    const rows: { source: Record<string, Tensor>; message: string }[] = [
      {
        source: { weight, scale: narrow },
        message:
          "loadStateDict: 1 of the model's 2 tensors are missing (bias) and 1 are not in the model (scale); names must be equal. The weights are of another architecture or configuration; pass { strict: false } to load what both have.",
      },
      {
        source: { weight, bias: narrow },
        message:
          "loadStateDict: bias is [2] f32, but the model's is [3] f32; they must be equal. The weights are of another architecture or configuration.",
      },
    ];
    for (const { source, message } of rows) {
      expect(() => model.loadStateDict(source)).toThrow(
        expect.objectContaining({ name: "ValueError", code: "E_STATE_DICT", message }),
      );
    }
    expect(valuesOf(model)).toEqual(before);
  });

  test("load what both sides have when they need not be equal", () => {
    const model = new nn.Linear(2, 3);
    model.loadStateDict({ bias: tensor([1, 2, 3]), other: tensor([4]) }, { strict: false });
    expect([...model.bias!.dataSync()]).toEqual([1, 2, 3]);
  });
});
