/**
 * @file Hooks around `forward`. A module with hooks has a `forward` of its own, not enumerable, that runs them around the class's; the last
 * one removed puts things back, so that modules without hooks cost nothing.
 */
import { StateError, ValueError } from "../errors.js";

type AnyForward = (...inputs: never[]) => unknown;
type ForwardOf<M> = M extends { readonly forward: infer F extends AnyForward } ? F : (...inputs: unknown[]) => unknown;

/** What `forward` is called with. */
export type ForwardInputs<M> = Parameters<ForwardOf<M>>;
export type ForwardOutput<M> = ReturnType<ForwardOf<M>>;

/** Answers other inputs, or undefined. */
export type ForwardPreHook<M> = (
  module: M,
  inputs: ForwardInputs<M>,
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook without a return statement is the usual one
) => readonly ForwardInputs<M>[number][] | undefined | void;
/** Answers another output, or undefined. */
export type ForwardHook<M> = (
  module: M,
  inputs: ForwardInputs<M>,
  output: ForwardOutput<M>,
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook without a return statement is the usual one
) => ForwardOutput<M> | undefined | void;

/** Takes one hook off. Twice is once. */
export interface HookHandle {
  remove(): void;
  [Symbol.dispose](): void;
}

type Pre = (module: object, inputs: readonly unknown[]) => unknown;
type Post = (module: object, inputs: readonly unknown[], output: unknown) => unknown;

interface Hooked {
  readonly before: Map<object, Pre>;
  readonly after: Map<object, Post>;
  readonly restore: () => void;
}

const hookedModules = new WeakMap<object, Hooked>();

/** See Module.registerForwardPreHook. */
export function hookBefore<M extends object>(module: M, hook: ForwardPreHook<M>): HookHandle {
  return add(module, "registerForwardPreHook", { before: hook as unknown as Pre });
}

/** See Module.registerForwardHook. */
export function hookAfter<M extends object>(module: M, hook: ForwardHook<M>): HookHandle {
  return add(module, "registerForwardHook", { after: hook as unknown as Post });
}

function add(module: object, where: string, hook: { readonly before?: Pre; readonly after?: Post }): HookHandle {
  if (typeof (hook.before ?? hook.after) !== "function") {
    throw new ValueError(
      `${where}: hook is ${typeof (hook.before ?? hook.after)}; it must be a function.`,
      {},
      "E_HOOK",
    );
  }
  const hooked = hookedModules.get(module) ?? wrap(module, where);
  const key = {};
  if (hook.before) hooked.before.set(key, hook.before);
  if (hook.after) hooked.after.set(key, hook.after);
  const remove = () => {
    hooked.before.delete(key);
    hooked.after.delete(key);
    if (hooked.before.size + hooked.after.size > 0 || hookedModules.get(module) !== hooked) return;
    hooked.restore();
    hookedModules.delete(module);
  };
  return { remove, [Symbol.dispose]: remove };
}

function wrap(module: object, where: string): Hooked {
  const own = Object.getOwnPropertyDescriptor(module, "forward");
  const forward = (module as { forward?: unknown }).forward;
  if (typeof forward !== "function") {
    throw new ValueError(
      `${where}: ${module.constructor.name} has no forward; only a module with one can have hooks. Register it on a module that is called.`,
      { module: module.constructor.name },
      "E_HOOK",
    );
  }
  const hooked: Hooked = {
    before: new Map(),
    after: new Map(),
    restore: () => {
      if (own === undefined) Reflect.deleteProperty(module, "forward");
      else Object.defineProperty(module, "forward", own);
    },
  };
  const value = (...given: unknown[]): unknown => {
    let inputs: readonly unknown[] = given;
    for (const hook of [...hooked.before.values()]) {
      inputs = (answerOf("registerForwardPreHook", hook(module, inputs)) as readonly unknown[] | undefined) ?? inputs;
    }
    let output: unknown = forward.apply(module, inputs);
    for (const hook of [...hooked.after.values()]) {
      const other = answerOf("registerForwardHook", hook(module, inputs, output));
      if (other !== undefined) output = other;
    }
    return output;
  };
  Object.defineProperty(module, "forward", { value, configurable: true, writable: true, enumerable: false });
  hookedModules.set(module, hooked);
  return hooked;
}

function answerOf(where: string, answer: unknown): unknown {
  if (!(answer instanceof Promise)) return answer;
  throw new StateError(
    `${where}: the hook returned a promise; it must be synchronous. Await before or after the forward pass.`,
    {},
    "E_ASYNC_SCOPE",
  );
}
