/**
 * @file Memory scopes: what is created inside one and not returned from it is freed at its end.
 *
 * The current scope is a variable of this module; callbacks are synchronous, so it never leaks into other work.
 * Parameters, optimizer state and `.grad` are kept and have owners of their own.
 */
import { StateError } from "../errors.js";

/** What a scope needs to know of a tensor. */
export interface Scoped {
  dispose(): void;
  /** True: no scope frees it. */
  isKept: boolean;
}

let current: Scoped[] | undefined;
let isScoped: (value: unknown) => value is Scoped = (_value): _value is Scoped => false;

/** The tensor class tells how to recognise its instances (it imports this file, not the other way round). */
export function setScopedClass(scopedClass: abstract new (...args: never[]) => Scoped): void {
  isScoped = (value): value is Scoped => value instanceof scopedClass;
}

/** Adds a new tensor to the current scope, if there is one. */
export function track(tensor: Scoped): void {
  if (current !== undefined) current.push(tensor);
}

/**
 * Runs `fn` and frees every tensor created inside that is not returned (alone, or in arrays, plain objects, Maps and Sets) or kept.
 * Returned tensors belong to the enclosing scope. When `fn` throws, everything created inside is freed.
 *
 * @throws {StateError} E_ASYNC_SCOPE when `fn` returns a promise: its tensors would be freed while it runs.
 * @source none: ours (tfjs's tidy is the nearest).
 * @example
 * const y = scope(() => tensor([1, 2]).mul(3).add(1));
 * y.toArraySync(); // => [4, 7]
 */
export function scope<T>(fn: () => T): T {
  const outer = current;
  const created: Scoped[] = [];
  current = created;
  let result: T;
  try {
    result = fn();
    if (isThenable(result)) {
      throw new StateError(
        "scope: the callback returned a promise; it must be synchronous. Await before or after the scope, not inside.",
        {},
        "E_ASYNC_SCOPE",
      );
    }
  } catch (error) {
    disposeAll(created);
    throw error;
  } finally {
    current = outer;
  }
  const survivors = new Set<Scoped>();
  collect(result, survivors, 0);
  for (const tensor of created) {
    if (tensor.isKept) continue;
    if (survivors.has(tensor)) outer?.push(tensor);
    else tensor.dispose();
  }
  return result;
}

/** Takes tensors out of the scopes' hands: they live until `dispose()`. Returns its argument. @source none: ours. */
export function keep<T>(value: T): T {
  const tensors = new Set<Scoped>();
  collect(value, tensors, 0);
  for (const tensor of tensors) tensor.isKept = true;
  return value;
}

/** Runs `fn` with a scope that tracks nothing: for values that have an owner of their own. */
export function untracked<T>(fn: () => T): T {
  const outer = current;
  current = undefined;
  try {
    return fn();
  } finally {
    current = outer;
  }
}

function disposeAll(tensors: readonly Scoped[]): void {
  for (const tensor of tensors) if (!tensor.isKept) tensor.dispose();
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function collect(value: unknown, found: Set<Scoped>, depth: number): void {
  if (typeof value !== "object" || value === null || depth > 8) return;
  if (isScoped(value)) {
    found.add(value);
  } else if (Array.isArray(value) || value instanceof Set) {
    for (const item of value) collect(item, found, depth + 1);
  } else if (value instanceof Map) {
    for (const item of value.values()) collect(item, found, depth + 1);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(value)) collect(item, found, depth + 1);
    }
  }
}
