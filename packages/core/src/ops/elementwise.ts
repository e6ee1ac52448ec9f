/**
 * @file Element-wise ops, each written once as a scalar expression. Operands are tensors or numbers; a number becomes a run-time
 * scalar, so that no kernel is compiled for a new value.
 */
import { DTypeError } from "../errors.js";
import { evaluateProgram } from "../expr/evaluate.js";
import { cast, constant, type Expr, input, scalar } from "../expr/expr.js";
import type { DType } from "../tensor/dtype.js";
import { broadcastShapes, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Op, ReferenceArray, Sample } from "./contract.js";
import { ElementwiseKernel } from "./elementwise-kernel.js";
import { broadcastReference } from "./reference-arrays.js";

export type Operand = Tensor | number;

/** "T" stands for f32 or i32, the same for all operands marked so. */
type OperandDType = DType | "T";

export interface ElementwiseContract<A> {
  readonly name: string;
  /** Dtype of each operand. */
  readonly operands: readonly OperandDType[];
  readonly expr: (operands: readonly Expr[], attrs: A) => Expr;
  /** Attributes that change the expression, as text: part of the kernel's key. Default: none do. */
  readonly attrsKey?: (attrs: A) => string;
  readonly samples: readonly Sample<A>[];
  /** Derived unless said so here. */
  readonly notDifferentiable?: string;
}

export interface ElementwiseOp<A> extends Op {
  readonly contract: ElementwiseContract<A>;
  readonly apply: (operands: readonly Operand[], attrs: A) => Tensor;
}

/** Largest integer up to which f32 holds every integer: beyond it an i32 operand becomes a constant of the kernel. */
const MAX_EXACT_F32 = 16_777_216;

export function defineElementwise<A = undefined>(contract: ElementwiseContract<A>): ElementwiseOp<A> {
  const kernels = new Map<string, ElementwiseKernel>();
  const compile = (operands: readonly Operand[], attrs: A): ElementwiseKernel => {
    const key = patternOf(contract, operands) + (contract.attrsKey?.(attrs) ?? "");
    let kernel = kernels.get(key);
    if (kernel === undefined) {
      kernel = compileKernel(contract, operands, attrs);
      kernels.set(key, kernel);
    }
    return kernel;
  };
  const apply = (operands: readonly Operand[], attrs: A): Tensor => {
    const kernel = compile(operands, attrs);
    const tensors: Tensor[] = [];
    const scalars: number[] = [];
    for (const operand of operands) {
      if (typeof operand === "number") scalars.push(operand);
      else tensors.push(operand);
    }
    return kernel.apply(tensors, scalars)[0]!;
  };
  return {
    contract,
    name: contract.name,
    apply,
    call: (inputs, attrs) => [apply(inputs, attrs as A)],
    reference: (inputs, attrs) => [referenceOf(contract, inputs, attrs as A)],
    notDifferentiable: contract.notDifferentiable,
    samples: contract.samples,
    reductionLength: () => 1,
  };
}

/** One letter for each operand: f, i for tensors, s for a number beside f32, a number in full beside i32. */
function patternOf<A>(contract: ElementwiseContract<A>, operands: readonly Operand[]): string {
  let common: DType | undefined;
  let key = "";
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    const wanted = contract.operands[i]!;
    if (typeof operand === "number") continue;
    const expected: DType | undefined = wanted === "T" ? common : wanted;
    if (expected !== undefined && operand.dtype !== expected) {
      throw new DTypeError(
        `${contract.name}: operand ${i} is ${operand.dtype}; it must be ${expected}${wanted === "T" ? ", as the other operand" : ""}. Use cast("${expected}").`,
        { operand: i, dtype: operand.dtype, expected },
      );
    }
    if (wanted === "T") common = operand.dtype;
  }
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (typeof operand !== "number") key += operand.dtype === "f32" ? "f" : "i";
    else if (common !== "i32") key += "s";
    else key += Math.abs(operand) > MAX_EXACT_F32 ? `(${operand})` : "n";
  }
  return key;
}

function compileKernel<A>(contract: ElementwiseContract<A>, operands: readonly Operand[], attrs: A): ElementwiseKernel {
  const isInteger = operands.some((o, i) => typeof o !== "number" && contract.operands[i] === "T" && o.dtype === "i32");
  const dtypes: DType[] = [];
  let numScalars = 0;
  const exprs = operands.map((operand, i): Expr => {
    if (typeof operand !== "number") return input(dtypes.push(operand.dtype) - 1, operand.dtype);
    // A constant still takes a place among the scalars, so that apply() can pass every number.
    const value = scalar(numScalars++);
    if (!isInteger || contract.operands[i] === "f32") return value;
    return Math.abs(operand) > MAX_EXACT_F32 ? constant(operand, "i32") : cast(value, "i32");
  });
  return new ElementwiseKernel(contract.name, dtypes, [contract.expr(exprs, attrs)], numScalars);
}

function referenceOf<A>(
  contract: ElementwiseContract<A>,
  inputs: readonly (ReferenceArray | number)[],
  attrs: A,
): ReferenceArray {
  // Scalars are inputs of a program with f64 meaning here; dtypes are read from the contract ("T" counts as f32 in f64).
  const exprs = inputs.map((_, i) => input(i));
  const program = {
    name: contract.name,
    key: "",
    inputs: inputs.map((): DType => "f32"),
    numScalars: 0,
    outputs: [contract.expr(exprs, attrs)],
  };
  let shape: Shape = [];
  for (const array of inputs) if (typeof array !== "number") shape = broadcastShapes(contract.name, shape, array.shape);
  const count = numElements(shape);
  const columns = inputs.map((array) =>
    typeof array === "number" ? new Float64Array(count).fill(array) : broadcastReference(array, shape).values,
  );
  return { shape, values: evaluateProgram(program, columns, [], count)[0]! };
}
