import { ValueError } from "../errors.js";
import { Module } from "./module.js";

/**
 * Modules in a row, named "0", "1", ... in the state dict. It has no `forward`: whoever owns it calls its items. (An array in a field
 * registers its modules under the same names; this one can be passed around and tells its length.)
 *
 * @shape none
 * @throws {ValueError} E_MODULE_NAME for an index that is not there; E_CONTAINER for what is no module.
 * @source torch.nn.ModuleList
 * @example
 * const list = new nn.ModuleList([new nn.Linear(2, 3)]).push(new nn.Linear(3, 1));
 * [...list.stateDict().keys()]; // => ["0.weight", "0.bias", "1.weight", "1.bias"]
 */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  readonly #items: M[];

  constructor(modules: Iterable<M> = []) {
    super();
    this.#items = [];
    this.push(...modules);
  }

  get length(): number {
    return this.#items.length;
  }

  /** Item i; negative ones count from the end. */
  at(index: number): M {
    return this.#items[this.#place("at", index)]!;
  }

  /** Puts another module in item i's place. Returns the old one, which is the caller's to dispose. */
  set(index: number, module: M): M {
    return this.#items.splice(this.#place("set", index), 1, assertModule("ModuleList", module))[0]!;
  }

  /** Appends. Returns this. */
  push(...modules: M[]): this {
    for (const module of modules) this.#items.push(assertModule("ModuleList", module));
    return this;
  }

  /** Puts a module before item i; later ones are named one higher from then on. Returns this. */
  insert(index: number, module: M): this {
    const place = index === this.length ? index : this.#place("insert", index);
    this.#items.splice(place, 0, assertModule("ModuleList", module));
    return this;
  }

  /** The items from `start` up to `end`, as Array.slice counts, in a list of their own: the same modules. */
  slice(start?: number, end?: number): ModuleList<M> {
    return new ModuleList(this.#items.slice(start, end));
  }

  [Symbol.iterator](): IterableIterator<M> {
    return this.#items[Symbol.iterator]();
  }

  override namedFields(): Iterable<readonly [string, unknown]> {
    return [...this.#items.map((item, i): [string, M] => [String(i), item]), ...super.namedFields()];
  }

  protected override setField(name: string, module: Module): void {
    if (/^\d+$/.test(name)) this.set(Number(name), module as M);
    else super.setField(name, module);
  }

  #place(method: string, index: number): number {
    return placeOf(`ModuleList.${method}`, index, this.length);
  }
}

/** 0..length-1 of an index that may count from the end. @throws {ValueError} E_MODULE_NAME */
export function placeOf(where: string, index: number, length: number): number {
  const place = index < 0 ? index + length : index;
  if (Number.isInteger(place) && place >= 0 && place < length) return place;
  throw new ValueError(
    `${where}: index is ${index}, but there are ${length} modules; it must be a whole number in ${-length}..${length - 1}.`,
    { index, length },
    "E_MODULE_NAME",
  );
}

/** @throws {ValueError} E_CONTAINER */
export function assertModule<M extends Module>(where: string, value: M): M {
  if (value instanceof Module) return value;
  const found = value === null ? "null" : typeof value === "function" ? "a function" : typeof value;
  throw new ValueError(
    `${where}: an item is ${found}; items must be modules. Wrap a function of tensors in a class with a forward.`,
    {},
    "E_CONTAINER",
  );
}

/** @throws {ValueError} E_MODULE_NAME for a name that a state dict cannot have. */
export function assertChildName(where: string, name: string): string {
  if (name !== "" && !name.includes(".")) return name;
  throw new ValueError(
    `${where}: name is ${JSON.stringify(name)}; it must not be empty and have no dot.`,
    { name },
    "E_MODULE_NAME",
  );
}
