import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";
import { assertChildName, assertModule, placeOf } from "./module-list.js";

/** A module of one tensor. */
export type Layer = Module & { forward(x: Tensor): Tensor };

/**
 * Layers one after the other, named "0", "1", ... or by names of their own. None at all give back their input.
 *
 * @shape x -> shape of the last layer's output
 * @throws {ValueError} E_MODULE_NAME for an index or a name that is not there, or a name that is empty, has a dot or is taken; E_CONTAINER
 *   for what is no module.
 * @source torch.nn.Sequential. Deviation: a slice keeps the names of its layers only when they were given.
 * @example
 * new nn.Sequential(new nn.Linear(4, 8), new nn.Relu(), new nn.Linear(8, 1)).namedParameters().map(([name]) => name); // => ["0.weight", "0.bias", "2.weight", "2.bias"]
 * @example
 * new nn.Sequential({ body: new nn.Linear(4, 8), head: new nn.Linear(8, 1) }).at("head").weight.shape; // => [1, 8]
 */
export class Sequential<L extends Layer = Layer> extends Module implements Iterable<L> {
  /** The name is undefined for layers that are called by their place. */
  readonly #items: { readonly name: string | undefined; readonly layer: L }[] = [];

  constructor(...layers: NoInfer<L>[] | [Readonly<Record<string, NoInfer<L>>>]) {
    super();
    const [first] = layers;
    if (layers.length === 1 && isRecord(first)) {
      for (const [name, layer] of Object.entries(first)) this.push(name, layer as L);
    } else this.push(...(layers as L[]));
  }

  get length(): number {
    return this.#items.length;
  }

  /** A layer by its place, negative ones from the end, or by its name. */
  at(place: number | string): L {
    return this.#items[this.#find("at", place)]!.layer;
  }

  /** Puts another layer in a place. Returns the old one, which is the caller's to dispose. */
  set(place: number | string, layer: L): L {
    const i = this.#find("set", place);
    const { name, layer: old } = this.#items[i]!;
    this.#items[i] = { name, layer: assertModule("Sequential", layer) };
    return old;
  }

  /** Appends layers, or one layer under a name. Returns this. */
  push(...layers: L[] | [name: string, layer: L]): this {
    const isNamed = typeof layers[0] === "string";
    const name = isNamed ? this.#newName(layers[0] as string) : undefined;
    for (const layer of (isNamed ? layers.slice(1) : layers) as L[]) {
      this.#items.push({ name, layer: assertModule("Sequential", layer) });
    }
    return this;
  }

  /** The layers from `start` up to `end`, as Array.slice counts, in a Sequential of their own: the same modules. */
  slice(start?: number, end?: number): Sequential<L> {
    const part = new Sequential<L>();
    for (const { name, layer } of this.#items.slice(start, end)) {
      if (name === undefined) part.push(layer);
      else part.push(name, layer);
    }
    return part;
  }

  forward(x: Tensor): Tensor {
    return this.#items.reduce((value, { layer }) => layer.forward(value), x);
  }

  *[Symbol.iterator](): IterableIterator<L> {
    for (const { layer } of this.#items) yield layer;
  }

  override namedFields(): Iterable<readonly [string, unknown]> {
    const named = this.#items.map(({ name, layer }, i): [string, L] => [name ?? String(i), layer]);
    return [...named, ...super.namedFields()];
  }

  protected override setField(name: string, module: Module): void {
    this.set(/^\d+$/.test(name) ? Number(name) : name, module as L);
  }

  #newName(name: string): string {
    assertChildName("Sequential", name);
    if (!/^\d+$/.test(name) && !this.#items.some((item) => item.name === name)) return name;
    throw new ValueError(
      `Sequential: name is ${JSON.stringify(name)}; it must be no number and new in this Sequential.`,
      { name },
      "E_MODULE_NAME",
    );
  }

  #find(method: string, place: number | string): number {
    if (typeof place === "number") return placeOf(`Sequential.${method}`, place, this.length);
    const found = this.#items.findIndex(({ name }) => name === place);
    if (found >= 0) return found;
    const names = this.#items.map(({ name }, i) => name ?? String(i));
    throw new ValueError(
      `Sequential.${method}: there is no layer ${JSON.stringify(place)}; the names are ${names.join(", ") || "none"}.`,
      { name: place, names },
      "E_MODULE_NAME",
    );
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
