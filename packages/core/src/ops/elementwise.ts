/**
 * @file Element-wise ops, each written once as a scalar expression. Operands are tensors or numbers; a number becomes a run-time
 * scalar, so that no kernel is compiled for a new value.
 */
import { DTypeError } from "../errors.js";
import { evaluateProgram } from "../expr/evaluate.js";
import { cast, constant, type Expr, input, scalar } from "../expr/expr.js";
import type { DType } from "../tensor/dtype.js";
import { promoteNumber, promoteTypes } from "../tensor/promotion.js";
import { broadcastShapes, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Op, ReferenceArray, Sample } from "./contract.js";
import { ElementwiseKernel } from "./elementwise-kernel.js";
import { broadcastReference } from "./reference-arrays.js";

export type Operand = Tensor | number;

/** "T": any dtype, the same for all operands marked so after promotion. "mask": any but f32; 0 is no. "any": whatever it is, beside others. */
type OperandDType = DType | "T" | "mask" | "any";

export interface ElementwiseContract<A> {
  readonly name: string;
  /** Dtype of each operand. u8 and bool operands are promoted to an "f32". */
  readonly operands: readonly OperandDType[];
  /** Of operands in f32, or in i32 where "T" is an integer. An i32 result takes the dtype of "T" again, others stay. */
  readonly expr: (operands: readonly Expr[], attrs: A) => Expr;
  /** Attributes that change the expression, as text: part of the kernel's key. Default: none do. */
  readonly attrsKey?: (attrs: A) => string;
  readonly samples: readonly Sample<A>[];
  /** Derived unless said so here. */
  readonly notDifferentiable?: string;
  /** The result keeps the dtype of the expression, whatever "T" is; any whole number may then stand beside u8. Default false. */
  readonly hasOwnResult?: boolean;
  /** What to use in its place where all operands are bool. Default: it takes bool. */
  readonly insteadOfBool?: string;
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
    const common = commonDType(contract, operands);
    const key = patternOf(contract, operands, common) + (contract.attrsKey?.(attrs) ?? "");
    let kernel = kernels.get(key);
    if (kernel === undefined) {
      kernel = compileKernel(contract, operands, { common, attrs });
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

/** What "T" is for these operands; undefined when no tensor stands at such a place. */
function commonDType<A>(contract: ElementwiseContract<A>, operands: readonly Operand[]): DType | undefined {
  let common: DType | undefined;
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (typeof operand === "number") continue;
    const wanted = contract.operands[i]!;
    if (wanted !== "T") checkDType(contract.name, { operand: i, dtype: operand.dtype, wanted });
    else if (common === undefined) common = operand.dtype;
    else if (common !== operand.dtype) {
      const wider = promoteTypes(common, operand.dtype);
      if (wider === undefined)
        throw otherDType(contract.name, { operand: i, dtype: operand.dtype, wanted: common, besides: true });
      common = wider;
    }
  }
  if (common === undefined || common === "f32") return common;
  for (let i = 0; i < operands.length; i++) {
    const value = operands[i]!;
    if (typeof value !== "number" || contract.operands[i] !== "T") continue;
    const allowsAnyWhole = contract.hasOwnResult === true;
    common = promoteNumber(common, { where: contract.name, operand: i, value, allowsAnyWhole });
  }
  if (common === "bool" && contract.insteadOfBool !== undefined) {
    throw new DTypeError(
      `${contract.name}: the operands are bool; they must be numbers. Use ${contract.insteadOfBool}, or cast("i32").`,
      { dtype: "bool" },
    );
  }
  return common;
}

interface OperandCheck {
  readonly operand: number;
  readonly dtype: DType;
  readonly wanted: OperandDType;
  /** Asked for because another operand has it. */
  readonly besides?: boolean;
}

function checkDType(where: string, check: OperandCheck): void {
  const { operand, dtype, wanted } = check;
  if (wanted === "any") return;
  if (wanted === "mask") {
    if (dtype !== "f32") return;
    throw new DTypeError(`${where}: operand ${operand} is f32; it must be what a comparison gives. Use ne(0).`, {
      operand,
      dtype,
    });
  }
  const fits = dtype === wanted || (wanted === "f32" && dtype !== "i32");
  if (!fits) throw otherDType(where, check);
}

function otherDType(where: string, { operand, dtype, wanted, besides }: OperandCheck): DTypeError {
  return new DTypeError(
    `${where}: operand ${operand} is ${dtype}; it must be ${wanted}${besides === true ? ", as the other operand" : ""}. Use cast("${wanted}").`,
    { operand, dtype, expected: wanted },
  );
}

const letters: Readonly<Record<DType, string>> = { f32: "f", i32: "i", u8: "u", bool: "b" };

/** A letter for each tensor's dtype, s for a number beside f32, n or a number in full beside integers; then what "T" is. */
function patternOf<A>(
  contract: ElementwiseContract<A>,
  operands: readonly Operand[],
  common: DType | undefined,
): string {
  let key = "";
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (typeof operand !== "number") key += letters[operand.dtype];
    else if (common === undefined || common === "f32" || contract.operands[i] === "f32") key += "s";
    else key += Math.abs(operand) > MAX_EXACT_F32 ? `(${operand})` : "n";
  }
  return common === undefined ? key : `${key}:${letters[common]}`;
}

function compileKernel<A>(
  contract: ElementwiseContract<A>,
  operands: readonly Operand[],
  { common, attrs }: { readonly common: DType | undefined; readonly attrs: A },
): ElementwiseKernel {
  const isInteger = common !== undefined && common !== "f32";
  const dtypes: DType[] = [];
  let numScalars = 0;
  const exprs = operands.map((operand, i): Expr => {
    const isFloat = contract.operands[i] === "f32" || (contract.operands[i] === "T" && !isInteger);
    if (typeof operand !== "number") {
      const own = input(dtypes.push(operand.dtype) - 1, operand.dtype);
      const isOwnFloat = contract.operands[i] === "any" && operand.dtype === "f32";
      return cast(own, isFloat || isOwnFloat ? "f32" : "i32");
    }
    // A constant still takes a place among the scalars, so that apply() can pass every number.
    const value = scalar(numScalars++);
    if (isFloat || contract.operands[i] !== "T") return value;
    return Math.abs(operand) > MAX_EXACT_F32 ? constant(operand, "i32") : cast(value, "i32");
  });
  const result = contract.expr(exprs, attrs);
  const isNarrowed = isInteger && result.dtype === "i32" && common !== "i32" && contract.hasOwnResult !== true;
  return new ElementwiseKernel(contract.name, dtypes, [isNarrowed ? cast(result, common) : result], numScalars);
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
