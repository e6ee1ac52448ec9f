/** Keeps the values used last, at most `maxItems` of them. */
export class BoundedCache<Value> {
  readonly maxItems: number;
  readonly #values = new Map<string, Value>();

  constructor(maxItems: number) {
    this.maxItems = maxItems;
  }

  get size(): number {
    return this.#values.size;
  }

  getOrMake(key: string, make: () => Value): Value {
    const isKept = this.#values.has(key);
    const value = isKept ? this.#values.get(key)! : make();
    if (isKept)
      this.#values.delete(key); // goes to the end: a map remembers the order of insertion
    else if (this.#values.size >= this.maxItems) this.#values.delete(this.#values.keys().next().value!);
    this.#values.set(key, value);
    return value;
  }
}
