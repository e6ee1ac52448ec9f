/** @file A named bundle of expressions that a backend compiles into one kernel, with a canonical key and an f64 interpreter. */
import type { DType } from "../tensor/dtype.js";
import type { Expr } from "./expr.js";

/** One element-wise kernel: `outputs[i]` as a function of the input elements and the run-time scalars. */
export interface ElementwiseProgram {
  /** For profiles and error texts. */
  readonly name: string;
  /** Equal keys compute the same thing: caches use it. */
  readonly key: string;
  readonly inputs: readonly DType[];
  readonly numScalars: number;
  /** Values only, no masks. */
  readonly outputs: readonly Expr[];
}

export function elementwiseProgram(
  name: string,
  inputs: readonly DType[],
  outputs: readonly Expr[],
  numScalars = 0,
): ElementwiseProgram {
  return { name, key: `${inputs.join(",")};${numScalars};${canonical(outputs)}`, inputs, numScalars, outputs };
}

/** Nodes in an order in which operands come first, each once. Structurally equal nodes are one. */
export function linearize(outputs: readonly Expr[]): {
  readonly nodes: readonly Expr[];
  readonly idOf: ReadonlyMap<Expr, number>;
} {
  const idOf = new Map<Expr, number>();
  const idOfText = new Map<string, number>();
  const nodes: Expr[] = [];
  const visit = (e: Expr): number => {
    const known = idOf.get(e);
    if (known !== undefined) return known;
    const text = describe(e, visit);
    let id = idOfText.get(text);
    if (id === undefined) {
      id = nodes.length;
      nodes.push(e);
      idOfText.set(text, id);
    }
    idOf.set(e, id);
    return id;
  };
  outputs.forEach(visit);
  return { nodes, idOf };
}

function describe(e: Expr, visit: (e: Expr) => number): string {
  switch (e.kind) {
    case "const":
      return `c${e.dtype}:${Object.is(e.value, -0) ? "-0" : e.value}`;
    case "input":
      return `i${e.dtype}:${e.index}`;
    case "scalar":
      return `s:${e.index}`;
    case "unary":
      return `${e.op}(${visit(e.x)})`;
    case "cast":
      return `${e.dtype}(${visit(e.x)})`;
    case "binary":
    case "compare":
      return `${e.op}(${visit(e.x)},${visit(e.y)})`;
    case "select":
      return `select(${visit(e.cond)},${visit(e.x)},${visit(e.y)})`;
    default:
      return e satisfies never;
  }
}

function canonical(outputs: readonly Expr[]): string {
  const { nodes, idOf } = linearize(outputs);
  const lines = nodes.map((e) => describe(e, (x) => idOf.get(x) ?? -1));
  return `${lines.join(";")}->${outputs.map((e) => idOf.get(e)).join(",")}`;
}
