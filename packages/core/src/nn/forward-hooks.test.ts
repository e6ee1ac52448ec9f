import { describe, expect, test } from "vitest";
import "../ops/tensor-methods.js";
import { tensor } from "../tensor/create.js";
import { keep, scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import * as nn from "./index.js";

const doubling = () => {
  const layer = new nn.Linear(1, 1, { bias: false });
  layer.loadStateDict({ weight: tensor([[2]]) });
  return layer;
};
const one = tensor([[1]]);

describe("forward hooks", () => {
  test("run in the order of registration, before and after, in training and in evaluation", () => {
    const layer = doubling();
    const seen: string[] = [];
    layer.registerForwardPreHook((module, [x]) => void seen.push(`pre ${x.itemSync()} ${module.training}`));
    layer.registerForwardHook((_, [x], out) => void seen.push(`post ${x.itemSync()} ${out.itemSync()}`));
    layer.registerForwardHook(() => void seen.push("second"));
    const model = new nn.Sequential(layer, layer);
    expect(model.forward(one).itemSync()).toBe(4);
    model.eval().forward(one);
    const pass = (mode: boolean) => [`pre 1 ${mode}`, "post 1 2", "second", `pre 2 ${mode}`, "post 2 4", "second"];
    expect(seen).toEqual([...pass(true), ...pass(false)]);
  });

  test("may put other inputs and outputs in the place of theirs, which gradients follow", () => {
    const layer = doubling();
    layer.registerForwardPreHook((_, [x]) => [x.add(10)]);
    layer.registerForwardHook((_, [x], out) => out.mul(x));
    const out = layer.forward(one); // 2 * 11 * 11
    expect(out.itemSync()).toBe(242);
    out.sum().backward();
    expect(layer.weight.grad!.itemSync()).toBe(121);
  });

  test("are gone when removed, and leave the class's forward behind", () => {
    const layer = doubling();
    const first = layer.registerForwardHook((_, __, out) => out.add(1));
    const second = layer.registerForwardHook((_, __, out) => out.mul(10));
    expect(layer.forward(one).itemSync()).toBe(30);
    first.remove();
    first.remove();
    expect(layer.forward(one).itemSync()).toBe(20);
    second[Symbol.dispose]();
    expect(layer.forward(one).itemSync()).toBe(2);
    expect(Object.hasOwn(layer, "forward")).toBe(false);
    expect(layer.namedModules().length).toBe(1);
  });

  test("a hook can remove itself while it runs, and a forward that is a field comes back", () => {
    class Arrow extends nn.Module {
      forward = (x: Tensor) => x.mul(3);
    }
    const module = new Arrow();
    const { forward } = module;
    const handle = module.registerForwardHook((_, __, out) => {
      handle.remove();
      return out.add(1);
    });
    expect([module.forward(one).itemSync(), module.forward(one).itemSync()]).toEqual([4, 3]);
    expect(module.forward).toBe(forward);
  });

  test("run inside the scope of the forward pass: what they want to hold on to they keep", () => {
    const layer = doubling();
    let [kept, lost]: (Tensor | undefined)[] = [];
    layer.registerForwardHook((_, __, out) => {
      kept = keep(out.detach());
      lost = out.detach();
    });
    scope(() => void layer.forward(one));
    expect([kept!.itemSync(), lost!.isDisposed]).toEqual([2, true]);
    kept!.dispose();
  });

  test("are refused where there is no forward, and when they answer a promise", () => {
    const message =
      "registerForwardHook: ModuleList has no forward; only a module with one can have hooks. Register it on a module that is called.";
    expect(() => new nn.ModuleList().registerForwardHook(() => {})).toThrow(
      expect.objectContaining({ code: "E_HOOK", message }),
    );
    const layer = doubling();
    layer.registerForwardPreHook((() => Promise.resolve()) as never);
    expect(() => layer.forward(one)).toThrow(expect.objectContaining({ code: "E_ASYNC_SCOPE" }));
  });
});
