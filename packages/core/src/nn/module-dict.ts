import { ValueError } from "../errors.js";
import { Module } from "./module.js";
import { assertChildName, assertModule } from "./module-list.js";

/**
 * Modules by name, in the order in which they were added. It has no `forward`.
 *
 * @shape none
 * @throws {ValueError} E_MODULE_NAME for a name that is not there, is empty or has a dot; E_CONTAINER for what is no module.
 * @source torch.nn.ModuleDict
 * @example
 * const heads = new nn.ModuleDict({ cat: new nn.Linear(4, 1, { bias: false }) }).set("dog", new nn.Linear(4, 2, { bias: false }));
 * [...heads.stateDict().keys()]; // => ["cat.weight", "dog.weight"]
 */
export class ModuleDict<M extends Module = Module> extends Module implements Iterable<[string, M]> {
  readonly #items = new Map<string, M>();

  constructor(modules: Readonly<Record<string, M>> | Iterable<readonly [string, M]> = {}) {
    super();
    const entries = Symbol.iterator in modules ? (modules as Iterable<readonly [string, M]>) : Object.entries(modules);
    for (const [name, module] of entries) this.set(name, module);
  }

  get size(): number {
    return this.#items.size;
  }

  has(name: string): boolean {
    return this.#items.has(name);
  }

  get(name: string): M {
    const found = this.#items.get(name);
    if (found !== undefined) return found;
    throw new ValueError(
      `ModuleDict: there is no module ${JSON.stringify(name)}; the names are ${[...this.keys()].join(", ") || "none"}.`,
      { name, names: [...this.keys()] },
      "E_MODULE_NAME",
    );
  }

  /** Adds a module, or puts it in the place of the one of that name. Returns this. */
  set(name: string, module: M): this {
    this.#items.set(assertChildName("ModuleDict", name), assertModule("ModuleDict", module));
    return this;
  }

  /** Takes a module out and returns it: it is the caller's to dispose. */
  delete(name: string): M {
    const module = this.get(name);
    this.#items.delete(name);
    return module;
  }

  keys(): IterableIterator<string> {
    return this.#items.keys();
  }
  values(): IterableIterator<M> {
    return this.#items.values();
  }
  entries(): IterableIterator<[string, M]> {
    return this.#items.entries();
  }
  [Symbol.iterator](): IterableIterator<[string, M]> {
    return this.entries();
  }

  override namedFields(): Iterable<readonly [string, unknown]> {
    return [...this.#items, ...super.namedFields()];
  }

  protected override setField(name: string, module: Module): void {
    if (this.#items.has(name)) this.set(name, module as M);
    else super.setField(name, module);
  }
}
