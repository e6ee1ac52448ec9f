/**
 * @file What an op promises. One op, one contract: shape rule, f64 reference, run, gradient, samples.
 *
 * Element-wise ops are written as one scalar expression (elementwise.ts) and get all of this from it; the contract here is for
 * structural ops (kernels) and for views. The generic suite (testing/op-suite.ts) checks every registered op on every backend.
 */
import type { Backend, StorageFidelity } from "../backend/backend.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import type { Layout, Tensor } from "../tensor/tensor.js";

/** What a shape rule sees of an input and says of an output. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
  /** Of an output: "exact" where its bits decide more than a value. Default: what its dtype has. */
  readonly fidelity?: StorageFidelity;
}

/** A tensor of a reference: row-major f64 values. */
export interface ReferenceArray {
  readonly shape: Shape;
  readonly values: Float64Array;
}

export interface NotDifferentiable {
  readonly notDifferentiable: string;
}

export interface VjpContext<A> {
  /** By input position; only those named in `saves.inputs` may be touched. */
  readonly inputs: readonly Tensor[];
  /** By output position; only those named in `saves.outputs` may be touched. */
  readonly outputs: readonly Tensor[];
  readonly inputShapes: readonly Shape[];
  readonly attrs: A;
  /** Which inputs want a cotangent; computing the others is waste. */
  readonly needs: readonly boolean[];
}

/** Positions. */
export interface Saves {
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
}

/** The vector-Jacobian product, made of ops. */
export interface Vjp<A> {
  /** What the tape keeps until backward; a function where it depends on what the backend saved, or on how many inputs there are. */
  readonly saves?: Saves | ((outputs: readonly TensorSpec[], numInputs: number) => Saves);
  /** One cotangent for each input, of its shape; undefined stands for zeros. `cotangents` has one entry for each visible output. */
  readonly pull: (context: VjpContext<A>, ...cotangents: Tensor[]) => readonly (Tensor | undefined)[];
}

/** How an input must lie in memory for `run`; anything else is copied first. "unitRow": one of the last two strides is 1. */
export type InputLayout = "contiguous" | "lastUnit" | "unitRow" | "any";

interface ContractBase<A> {
  readonly name: string;
  readonly vjp: Vjp<A> | NotDifferentiable;
  /** Outputs in f64, written for the reader. */
  readonly reference: (inputs: readonly ReferenceArray[], attrs: A) => readonly ReferenceArray[];
  readonly samples: readonly Sample<A>[];
  /** Values other than the sampled inputs that decide numbers (a reduction's length): the tolerance table uses it. Default 1. */
  readonly reductionLength?: (inputs: readonly Shape[], attrs: A) => number;
  /** A fused op's specification in simple ops: the suite compares values and gradients. */
  readonly composite?: (inputs: readonly Tensor[], attrs: A) => readonly Tensor[];
}

/** An op with a kernel on each backend. */
export interface StructuralContract<A> extends ContractBase<A> {
  /** The only place that validates. @throws ShapeError, DTypeError, ValueError where the user called. */
  readonly shapeRule: (inputs: readonly TensorSpec[], attrs: A) => readonly TensorSpec[];
  /** Default "contiguous" for all. */
  readonly layout?: InputLayout;
  /** Outputs beyond this number are for the vjp only. Default: all are visible. */
  readonly numVisible?: number;
  /** Further outputs for the vjp only, after those of the shape rule: what the backend's kernel saves. Default: none. */
  readonly savedRule?: (backend: Backend, inputs: readonly TensorSpec[], attrs: A) => readonly TensorSpec[];
  readonly run: (backend: Backend, inputs: readonly Tensor[], outputs: readonly Tensor[], attrs: A) => void;
}

/** An op that only changes how memory is looked at. */
export interface ViewContract<A> extends ContractBase<A> {
  /** Validates and answers the window of each output. */
  readonly layoutRule: (input: Layout, attrs: A) => readonly Layout[];
}

/** A tensor that the suite makes from a seed. */
export interface SampleInput {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly distribution:
    | { readonly kind: "normal"; readonly mean: number; readonly std: number }
    | { readonly kind: "uniform"; readonly low: number; readonly high: number }
    | { readonly kind: "integers"; readonly low: number; readonly high: number }
    | { readonly kind: "values"; readonly values: readonly number[] };
}

export interface Sample<A> {
  readonly name: string;
  /** A number stands for a scalar operand of an element-wise op. */
  readonly inputs: readonly (SampleInput | number)[];
  readonly attrs: A;
  /** False for samples whose inputs lie on a kink. Default true. */
  readonly checkVjp?: boolean;
}

/** An op as the registry and the suite see it. */
export interface Op {
  readonly name: string;
  /** Visible outputs. */
  readonly call: (inputs: readonly (Tensor | number)[], attrs: unknown) => readonly Tensor[];
  readonly reference: (inputs: readonly (ReferenceArray | number)[], attrs: unknown) => readonly ReferenceArray[];
  readonly notDifferentiable: string | undefined;
  readonly composite?: ((inputs: readonly Tensor[], attrs: unknown) => readonly Tensor[]) | undefined;
  readonly samples: readonly Sample<unknown>[];
  readonly reductionLength: (inputs: readonly Shape[], attrs: unknown) => number;
}
