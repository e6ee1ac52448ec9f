import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import * as nn from "./index.js";

const linear = (inDim: number, outDim: number) => new nn.Linear(inDim, outDim, { bias: false });
const names = (model: nn.Module) => [...model.stateDict().keys()];

describe("ModuleList", () => {
  test("names its items by their place, which inserting moves", () => {
    const [a, b, c] = [linear(1, 2), linear(2, 3), linear(3, 4)];
    const list = new nn.ModuleList([a]).push(c).insert(1, b);
    expect([...list]).toEqual([a, b, c]);
    expect(names(list)).toEqual(["0.weight", "1.weight", "2.weight"]);
    expect([list.at(-1), list.at(1), list.length]).toEqual([c, b, 3]);
    expect(list.set(0, c)).toBe(a);
    expect([...list]).toEqual([c, b, c]);
    expect(names(list)).toEqual(["0.weight", "1.weight"]);
    expect([...list.slice(1)]).toEqual([b, c]);
  });

  test("is part of a model's state, training mode and names", () => {
    class Stack extends nn.Module {
      blocks = new nn.ModuleList([linear(2, 2), new nn.Dropout()]);
    }
    const model = new Stack();
    expect(names(model)).toEqual(["blocks.0.weight"]);
    model.eval();
    expect([...model.blocks].map(({ training }) => training)).toEqual([false, false]);
  });
});

describe("ModuleDict", () => {
  test("keeps its modules by name in the order of adding", () => {
    const [a, b] = [linear(1, 2), linear(2, 3)];
    const dict = new nn.ModuleDict([["b", b]]).set("a", a);
    expect([[...dict.keys()], [...dict.values()], dict.size]).toEqual([["b", "a"], [b, a], 2]);
    expect([...dict]).toEqual([...dict.entries()]);
    expect(names(dict)).toEqual(["b.weight", "a.weight"]);
    expect(dict.delete("b")).toBe(b);
    expect([dict.has("b"), dict.get("a")]).toEqual([false, a]);
    dict.replaceModule("a", b);
    expect(dict.get("a")).toBe(b);
  });
});

describe("Sequential", () => {
  test("calls layers by name, by place, in slices and from an iterator", () => {
    const model = new nn.Sequential({ fc: linear(1, 1), act: new nn.Relu() }).push("out", linear(1, 1));
    model.loadStateDict({ "fc.weight": tensor([[-2]]), "out.weight": tensor([[5]]) });
    const at = (part: nn.Sequential) => part.forward(tensor([[-3]])).itemSync();
    expect([at(model), at(model.slice(0, 1)), at(model.slice(1)), at(new nn.Sequential())]).toEqual([30, 6, 0, -3]);
    expect([names(model), names(model.slice(2))]).toEqual([["fc.weight", "out.weight"], ["out.weight"]]);
    expect([model.at(-1), [...model].length, model.length]).toEqual([model.at("out"), 3, 3]);
    expect(model.set("act", new nn.Identity())).toBeInstanceOf(nn.Relu);
    expect(at(model)).toBe(30);
  });

  test("an unnamed layer is called by its place, also in a slice", () => {
    const model = new nn.Sequential(linear(1, 2), linear(2, 3)).push(linear(3, 4));
    expect(names(model)).toEqual(["0.weight", "1.weight", "2.weight"]);
    expect(names(model.slice(1))).toEqual(["0.weight", "1.weight"]);
    expect(model.slice(1).at(0)).toBe(model.at(1));
  });
});

describe("layers that arrange", () => {
  test("Flatten, Unflatten and Identity keep the numbers in order", () => {
    const x = tensor([
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]); // prettier-ignore
    expect(new nn.Flatten().forward(x).toArraySync()).toEqual([[1, 2, 3, 4, 5, 6]]);
    expect(new nn.Flatten(0, 1).forward(x).shape).toEqual([2, 3]);
    const wide = new nn.Unflatten(1, [3, -1]).forward(new nn.Flatten().forward(x));
    expect(wide.toArraySync()).toEqual([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]); // prettier-ignore
    expect(new nn.Identity().forward(x)).toBe(x);
  });
});

test.each([
  {
    make: () => new nn.ModuleList([linear(1, 1)]).at(1),
    code: "E_MODULE_NAME",
    message: "ModuleList.at: index is 1, but there are 1 modules; it must be a whole number in -1..0.",
  },
  {
    make: () => new nn.ModuleList().push(((x: number) => x) as unknown as nn.Module),
    code: "E_CONTAINER",
    message:
      "ModuleList: an item is a function; items must be modules. Wrap a function of tensors in a class with a forward.",
  },
  {
    make: () => new nn.ModuleDict({ a: linear(1, 1) }).get("b"),
    code: "E_MODULE_NAME",
    message: 'ModuleDict: there is no module "b"; the names are a.',
  },
  {
    make: () => new nn.ModuleDict({ "a.b": linear(1, 1) }),
    code: "E_MODULE_NAME",
    message: 'ModuleDict: name is "a.b"; it must not be empty and have no dot.',
  },
  {
    make: () => new nn.Sequential({ a: linear(1, 1) }).push("a", linear(1, 1)),
    code: "E_MODULE_NAME",
    message: 'Sequential: name is "a"; it must be no number and new in this Sequential.',
  },
  {
    make: () => new nn.Sequential({ a: linear(1, 1) }).at("b"),
    code: "E_MODULE_NAME",
    message: 'Sequential.at: there is no layer "b"; the names are a.',
  },
  {
    make: () => new nn.Unflatten(1, [2, 2]).forward(tensor([[1, 2, 3]])),
    code: "E_SHAPE",
    message: "Unflatten: x is [1,3] and sizes [2,2]; the sizes must make up 3, its dim 1, and at most one may be -1.",
  },
])("says: $message", ({ make, code, message }) => {
  expect(make).toThrow(expect.objectContaining({ code, message }));
});
