import { treeSum } from "../../train/tree-order.js";
import type { MetricRule } from "../metric.js";

/** The name of a rule with the options that change what it counts or gives. */
export function ruleName(where: string, options: object): string {
  const set = Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  return set.length === 0 ? where : `${where}(${set.join(", ")})`;
}

/** Sum of f64 and number of samples; the value is their quotient. */
export function meanRule<Args extends readonly unknown[]>(
  name: string,
  mode: "max" | "min",
  valuesOf: (...args: Args) => readonly number[],
): MetricRule<Args, number> {
  return {
    name,
    mode,
    measure: (...args) => {
      const values = valuesOf(...args);
      return { counts: [[0, values.length]], sums: [treeSum(values)] };
    },
    value: ({ counts, sums }) => sums[0]! / counts.get(0)!,
  };
}
