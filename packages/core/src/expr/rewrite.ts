/** @file Rewriting expressions: replaces nodes, finds which inputs are read. Pure. */
import type { Expr } from "./expr.js";

/** `e` with every node for which `replace` returns something replaced by it (top down). Sharing is kept. */
export function rewrite(e: Expr, replace: (node: Expr) => Expr | undefined): Expr {
  const seen = new Map<Expr, Expr>();
  const visit = (node: Expr): Expr => {
    const known = seen.get(node);
    if (known !== undefined) return known;
    const result = replace(node) ?? rebuild(node, visit);
    seen.set(node, result);
    return result;
  };
  return visit(e);
}

function rebuild(e: Expr, visit: (e: Expr) => Expr): Expr {
  switch (e.kind) {
    case "const":
    case "input":
    case "scalar":
      return e;
    case "unary":
    case "cast":
      return { ...e, x: visit(e.x) };
    case "binary":
    case "compare":
      return { ...e, x: visit(e.x), y: visit(e.y) };
    case "select":
      return { ...e, cond: visit(e.cond), x: visit(e.x), y: visit(e.y) };
    default:
      return e satisfies never;
  }
}

/** Indices of the inputs that `exprs` read, ascending. */
export function inputsRead(exprs: readonly Expr[]): number[] {
  const found = new Set<number>();
  for (const e of exprs) {
    rewrite(e, (node) => {
      if (node.kind === "input") found.add(node.index);
      return undefined;
    });
  }
  return [...found].sort((a, b) => a - b);
}
