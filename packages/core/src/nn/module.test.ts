import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { AdamW } from "../optim/index.js";
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

describe("the tree of modules", () => {
  const small = () =>
    new nn.Sequential({ body: new nn.Sequential(new nn.Linear(2, 3), new nn.Relu()), head: new nn.Linear(3, 1) });

  test("children are one level down, modules all of them, apply goes from the leaves to the root", () => {
    const model = small();
    expect(model.namedChildren().map(([name]) => name)).toEqual(["body", "head"]);
    expect(model.namedModules().map(([name]) => name)).toEqual(["", "body", "body.0", "body.1", "head"]);
    expect(new Outer().namedChildren().map(([name]) => name)).toEqual(["first", "list.0", "list.1"]);
    const order: string[] = [];
    expect(model.apply((_, name) => void order.push(name))).toBe(model);
    expect(order).toEqual(["body.0", "body.1", "body", "head", ""]);
  });

  test("modules are found and replaced by the names of the state dict, in fields, arrays and containers", () => {
    const model = new Outer();
    const other = new nn.Linear(2, 2);
    expect(model.getModule("list.1")).toBe(model.list[1]);
    expect(model.getModule("")).toBe(model);
    const old = model.list[0]!;
    expect(model.replaceModule("list.0", other)).toBe(old);
    expect(model.list[0]).toBe(other);
    const nested = small();
    const head = new nn.Linear(3, 7);
    nested.replaceModule("head", head);
    nested.replaceModule("body.1", new nn.Tanh());
    expect(nested.at("head")).toBe(head);
    expect(nested.getModule("body.1")).toBeInstanceOf(nn.Tanh);
    expect([...nested.stateDict().keys()]).toEqual(["body.0.weight", "body.0.bias", "head.weight", "head.bias"]);
    const message = 'replaceModule: there is no module "heads"; the names are body, body.0, body.1, head.';
    expect(() => nested.replaceModule("heads", head)).toThrow(
      expect.objectContaining({ code: "E_MODULE_NAME", message }),
    );
    expect(() => nested.getModule("body.5")).toThrow(expect.objectContaining({ code: "E_MODULE_NAME" }));
  });

  test("freezing goes by name, drops gradients and is counted", () => {
    const model = small();
    model
      .forward(tensor([[1, 2]]))
      .sum()
      .backward();
    expect(model.freeze("body")).toBe(model);
    const trained = () => model.namedParameters().flatMap(([name, p]) => (p.requiresGrad ? [name] : []));
    expect(trained()).toEqual(["head.weight", "head.bias"]);
    expect(model.namedParameters().map(([, { grad }]) => grad !== undefined)).toEqual([false, false, true, true]);
    expect([model.numParameters(), model.numParameters({ trainable: true })]).toEqual([13, 4]);
    expect(model.numParameters({ trainable: false })).toBe(9);
    model.unfreeze(/\.bias$/);
    expect(trained()).toEqual(["body.0.bias", "head.weight", "head.bias"]);
    model.unfreeze("b*.weight");
    expect(trained()).toEqual(["body.0.weight", "body.0.bias", "head.weight", "head.bias"]);
    expect(model.freeze((name) => name === "head.bias").numParameters({ trainable: false })).toBe(1);
    expect(model.freeze().numParameters({ trainable: true })).toBe(0);
  });

  test("a frozen parameter is not moved by an optimizer, weight decay or not", () => {
    const model = small().freeze("body");
    const before = [...model.parameters()[0]!.dataSync()];
    const optimizer = new AdamW(model.parameters(), { learningRate: 0.1, weightDecay: 0.5 });
    model
      .forward(tensor([[1, 2]]))
      .sum()
      .backward();
    const head = [...model.at("head").stateDict().get("bias")!.dataSync()];
    optimizer.step();
    expect([...model.parameters()[0]!.dataSync()]).toEqual(before);
    expect([...model.at("head").stateDict().get("bias")!.dataSync()]).not.toEqual(head);
  });

  test("a pattern that no name has is refused", () => {
    const message =
      "freeze: no parameter is called bodi; the names are body.0.weight, body.0.bias, head.weight, head.bias. Give one of them, the beginning of one up to a dot, or a regular expression.";
    expect(() => small().freeze("bodi")).toThrow(expect.objectContaining({ code: "E_NAME_PATTERN", message }));
    expect(() => small().freeze("bod")).toThrow(expect.objectContaining({ code: "E_NAME_PATTERN" }));
  });
});

describe("weights of another model", () => {
  const source = () => ({
    "module.fc1.weight": tensor([[1, 2]]),
    "module.fc1.bias": tensor([3]),
    "module.head.weight": tensor([[4], [5]]),
    "module.scale": tensor([6]),
  });
  const target = () => new nn.Sequential({ body: new nn.Linear(2, 1), head: new nn.Linear(1, 3) });

  test("load under other names; the report says what was left", () => {
    const model = target();
    const report = model.loadStateDict(source(), {
      strict: false,
      skipMismatched: true,
      rename: { module: "", "module.fc1": "body" },
    });
    expect(report).toEqual({
      loaded: ["body.weight", "body.bias"],
      missing: ["head.bias"],
      unexpected: ["scale"],
      mismatched: [{ name: "head.weight", shape: [2, 1], dtype: "f32", expectedShape: [3, 1], expectedDtype: "f32" }],
    });
    expect([...model.stateDict().get("body.weight")!.dataSync()]).toEqual([1, 2]);
  });

  test("a function of the name renames and leaves out", () => {
    const model = new nn.Sequential({ fc1: new nn.Linear(2, 1) });
    const rename = (name: string) => (name.includes("fc1") ? name.replace("module.", "") : undefined);
    expect(model.loadStateDict(source(), { rename }).loaded).toEqual(["fc1.weight", "fc1.bias"]);
  });

  test.each([
    {
      options: { strict: false, rename: { module: "", "module.fc1": "body" } },
      message:
        "loadStateDict: head.weight is [2,1] f32, but the model's is [3,1] f32; they must be equal. The weights are of another architecture or configuration.",
    },
    {
      options: { rename: { modul: "" } },
      message:
        'loadStateDict: rename has "modul", but no name begins with it (module.fc1.weight, module.fc1.bias, module.head.weight, ...); each entry must rename something.',
    },
    {
      options: { rename: () => "body.bias" },
      message:
        'loadStateDict: rename makes "body.bias" of both "module.fc1.weight" and "module.fc1.bias"; names must stay unique.',
    },
  ])("says: $message", ({ options, message }) => {
    const model = target();
    const before = [...model.stateDict().get("body.weight")!.dataSync()];
    expect(() => model.loadStateDict(source(), options)).toThrow(
      expect.objectContaining({ code: "E_STATE_DICT", message }),
    );
    expect([...model.stateDict().get("body.weight")!.dataSync()]).toEqual(before);
  });
});
