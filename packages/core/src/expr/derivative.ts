/** @file Derivatives of scalar expressions, by the chain rule. Pure. */
import {
  add,
  constant,
  cos,
  cosh,
  div,
  type Expr,
  eq,
  exp,
  type HyperbolicOp,
  isConst,
  lt,
  mul,
  neg,
  select,
  sin,
  sinh,
  sqrt,
  sub,
  trunc,
  type UnaryOp,
} from "./expr.js";

const TWO_OVER_SQRT_PI = 1.1283791670955126;
const LN2 = Math.LN2;
const LN10 = Math.LN10;

/** Sums and products that drop zeros and ones: only derivatives are simplified, what an author wrote runs as written. */
export const addSimple = (x: Expr, y: Expr): Expr => (isConst(x, 0) ? y : isConst(y, 0) ? x : add(x, y));
const subSimple = (x: Expr, y: Expr): Expr => (isConst(y, 0) ? x : isConst(x, 0) ? neg(y) : sub(x, y));
export const mulSimple = (x: Expr, y: Expr): Expr =>
  isConst(x, 0) || isConst(y, 0) ? constant(0) : isConst(x, 1) ? y : isConst(y, 1) ? x : mul(x, y);

/** d expr / d input(index), by the chain rule. Shared subexpressions stay shared. Comparisons, casts and floor have derivative 0. */
export function derivative(expr: Expr, index: number): Expr {
  const seen = new Map<Expr, Expr>();
  const d = (e: Expr): Expr => {
    const known = seen.get(e);
    if (known) return known;
    const result = derive(e);
    seen.set(e, result);
    return result;
  };
  const derive = (e: Expr): Expr => {
    switch (e.kind) {
      case "input":
        return constant(e.index === index && e.dtype === "f32" ? 1 : 0);
      case "unary":
        return mulSimple(d(e.x), unaryDerivative(e.op, e));
      case "binary":
        return binaryDerivative(e, d(e.x), d(e.y));
      case "select": {
        const dx = d(e.x);
        const dy = d(e.y);
        return isConst(dx, 0) && isConst(dy, 0) ? dx : select(e.cond, dx, dy);
      }
      default:
        return constant(0);
    }
  };
  return d(expr);
}

function unaryDerivative(op: UnaryOp, e: Extract<Expr, { kind: "unary" }>): Expr {
  const x = e.x;
  switch (op) {
    case "neg":
      return constant(-1);
    case "abs":
      return select(lt(x, 0), -1, select(lt(0, x), 1, 0));
    case "sqrt":
      return div(0.5, e);
    case "floor":
    case "ceil":
    case "trunc":
    case "round":
      return constant(0);
    case "exp":
      return e;
    case "exp2":
      return mul(e, LN2);
    case "expm1":
      return add(e, 1);
    case "log":
      return div(1, x);
    case "log2":
      return div(1 / LN2, x);
    case "log10":
      return div(1 / LN10, x);
    case "log1p":
      return div(1, add(1, x));
    case "erf":
      return mul(TWO_OVER_SQRT_PI, exp(neg(mul(x, x))));
    case "sin":
      return cos(x);
    case "cos":
      return neg(sin(x));
    case "tan":
      return add(1, mul(e, e));
    case "asin":
      return div(1, sqrt(sub(1, mul(x, x))));
    case "acos":
      return div(-1, sqrt(sub(1, mul(x, x))));
    case "atan":
      return div(1, add(1, mul(x, x)));
    default:
      return hyperbolicDerivative(op, e);
  }
}

function hyperbolicDerivative(op: HyperbolicOp, e: Extract<Expr, { kind: "unary" }>): Expr {
  const x = e.x;
  switch (op) {
    case "sinh":
      return cosh(x);
    case "cosh":
      return sinh(x);
    case "tanh":
      return sub(1, mul(e, e));
    case "asinh":
      return div(1, sqrt(add(mul(x, x), 1)));
    case "acosh":
      return div(1, mul(sqrt(sub(x, 1)), sqrt(add(x, 1))));
    case "atanh":
      return div(1, sub(1, mul(x, x)));
    default:
      return op satisfies never;
  }
}

function binaryDerivative(e: Extract<Expr, { kind: "binary" }>, dx: Expr, dy: Expr): Expr {
  switch (e.op) {
    case "add":
      return addSimple(dx, dy);
    case "sub":
      return subSimple(dx, dy);
    case "mul":
      return addSimple(mulSimple(dx, e.y), mulSimple(e.x, dy));
    case "div":
      return subSimple(isConst(dx, 0) ? dx : div(dx, e.y), isConst(dy, 0) ? dy : mulSimple(div(e, e.y), dy));
    case "min":
    case "max": {
      // A tie gives half to each side, as torch.maximum does.
      const first = e.op === "max" ? lt(e.y, e.x) : lt(e.x, e.y);
      const share = select(first, 1, select(eq(e.x, e.y), 0.5, 0));
      return addSimple(mulSimple(dx, share), mulSimple(dy, sub(1, share)));
    }
    case "fmod":
      return subSimple(dx, mulSimple(trunc(div(e.x, e.y)), dy));
    case "floorDivide":
      return constant(0);
    case "atan2": {
      const square = add(mul(e.x, e.x), mul(e.y, e.y));
      return subSimple(mulSimple(div(e.y, square), dx), mulSimple(div(e.x, square), dy));
    }
    case "hypot": {
      // A distance of 0 has the derivative 0, of those that it could have.
      const share = (side: Expr) => select(eq(e, 0), 0, div(side, e));
      return addSimple(mulSimple(share(e.x), dx), mulSimple(share(e.y), dy));
    }
    default:
      return e.op satisfies never;
  }
}
