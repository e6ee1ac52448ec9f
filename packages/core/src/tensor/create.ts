/** @file Making tensors: from values, by a rule, at random. They lie on the backend of the current scope. */
import type { Backend, TensorView } from "../backend/backend.js";
import { currentBackend } from "../backend/current-backend.js";
import { DTypeError, ShapeError, ValueError } from "../errors.js";
import { bytesPerElement, type DType, type DTypeArray, dtypeOfArray, hostArray } from "./dtype.js";
import { withMemoryContext } from "./memory-context.js";
import { flattenNested, type NestedInput } from "./nested-array.js";
import { track } from "./scope.js";
import { assertShape, formatShape, numElements, type Shape } from "./shape.js";
import { Storage } from "./storage.js";
import { Tensor } from "./tensor.js";

export interface CreateOptions {
  /** Default "f32"; "bool" for values that are all true or false; typed arrays bring their own (Uint8Array: u8). */
  readonly dtype?: DType;
  /** Makes the tensor a leaf whose `.grad` backward fills. Default false. */
  readonly requiresGrad?: boolean;
}

export interface TensorOptions extends CreateOptions {
  /** For flat values: the shape they are seen in. Default: the nesting of the values. */
  readonly shape?: Shape;
}

/** A source of random f32, such as core's Generator. */
export interface RandomSource {
  fillUniform(out: Float32Array, low?: number, high?: number): void;
  fillNormal(out: Float32Array, mean?: number, std?: number): void;
}

/**
 * A tensor of nested arrays, a number, or a typed array.
 *
 * @shape nested arrays of depth d -> d dims; a number -> []
 * @throws {ShapeError} E_SHAPE when rows differ in length or `shape` does not fit. {DTypeError} E_DTYPE for i32 or u8 of what they cannot
 *   hold.
 * @source torch.tensor
 * @example
 * tensor([[1, 2], [3, 4]]).toArraySync(); // => [[1, 2], [3, 4]]
 */
export function tensor(values: NestedInput | DTypeArray, options: TensorOptions = {}): Tensor {
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint8Array) {
    const own = dtypeOfArray(values);
    const dtype = options.dtype ?? own;
    const elements = dtype === own ? values : convertValues("tensor", values, dtype);
    return fromElements(elements, [values.length], { ...options, dtype });
  }
  const { shape, values: flat, isBoolean } = flattenNested("tensor", values);
  const dtype = options.dtype ?? (isBoolean ? "bool" : "f32");
  return fromElements(convertValues("tensor", flat, dtype), shape, { ...options, dtype });
}

const ranges = { i32: "-2147483648..2147483647", u8: "0..255" } as const;

/** As host elements of a dtype. Bool: whether a value is not 0. @throws {DTypeError} E_DTYPE with the first that does not fit. */
function convertValues(where: string, values: ArrayLike<number>, dtype: DType): DTypeArray {
  if (dtype === "f32") return Float32Array.from(values);
  if (dtype === "bool") return Uint8Array.from(values, (value) => (value !== 0 ? 1 : 0));
  const out = hostArray(dtype, values.length);
  for (let i = 0; i < out.length; i++) {
    const value = values[i]!;
    out[i] = value;
    if (out[i] !== value) {
      throw new DTypeError(
        `${where}: element ${i} is ${value}; ${dtype === "u8" ? "a u8" : "an i32"} must be a whole number in ${ranges[dtype]}. Use dtype "f32", or round first.`,
        { index: i, value },
      );
    }
  }
  return out;
}

function fromElements(values: DTypeArray, natural: Shape, options: TensorOptions & { readonly dtype: DType }): Tensor {
  const shape = options.shape ?? natural;
  assertShape("tensor", shape);
  if (numElements(shape) !== values.length) {
    throw new ShapeError(
      `tensor: there are ${values.length} values, but shape is ${formatShape(shape)}; its product must be ${values.length}.`,
      { shape, numValues: values.length },
    );
  }
  const out = allocated("tensor", { shape, dtype: options.dtype, backend: currentBackend() });
  if (values.length > 0) out.backend.write(out.buffer, 0, values);
  return withGrad(out, options);
}

function allocated(where: string, { shape, dtype, backend }: Pick<Tensor, "shape" | "dtype" | "backend">): Tensor {
  try {
    return Tensor.allocate(backend, shape, dtype);
  } catch (error) {
    throw withMemoryContext(error, { op: where, outputs: [{ shape }] });
  }
}

function withGrad(out: Tensor, options: CreateOptions): Tensor {
  if (options.requiresGrad === true) out.requiresGrad = true;
  return out;
}

/**
 * @shape -> shape, all `value`
 * @throws {ShapeError} E_SHAPE for a negative size; {DTypeError} E_DTYPE for a value that the dtype cannot hold.
 * @source torch.full
 */
export function full(shape: Shape, value: number | boolean, options: CreateOptions = {}): Tensor {
  assertShape("full", shape);
  const dtype = options.dtype ?? (typeof value === "boolean" ? "bool" : "f32");
  return withGrad(filled("full", { shape: [...shape], dtype, backend: currentBackend() }, Number(value)), options);
}

function filled(
  where: string,
  { shape, dtype, backend }: Pick<Tensor, "shape" | "dtype" | "backend">,
  value: number,
): Tensor {
  const element = dtype === "f32" ? value : convertValues(where, [value], dtype)[0]!;
  const out = allocated(where, { shape, dtype, backend });
  if (out.size > 0) backend.kernels.fill(out, element);
  return out;
}

/** @shape -> shape, all 0 @source torch.zeros */
export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** @shape -> shape, all 1 @source torch.ones */
export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** Zeros of another tensor's shape, dtype and backend. @shape any -> same @source torch.zeros_like */
export function zerosLike(x: Pick<Tensor, "shape" | "dtype" | "backend">): Tensor {
  return filled("zerosLike", x, 0);
}
/** Ones of another tensor's shape, dtype and backend. @shape any -> same @source torch.ones_like */
export function onesLike(x: Pick<Tensor, "shape" | "dtype" | "backend">): Tensor {
  return filled("onesLike", x, 1);
}
/** `value` in another tensor's shape, dtype and backend. @shape any -> same @throws as `full` @source torch.full_like */
export function fullLike(x: Pick<Tensor, "shape" | "dtype" | "backend">, value: number | boolean): Tensor {
  return filled("fullLike", x, Number(value));
}

/**
 * The square matrix with ones on its diagonal.
 *
 * @shape -> [n, n]
 * @source torch.eye
 * @example
 * eye(2).toArraySync(); // => [[1, 0], [0, 1]]
 */
export function eye(n: number, options: CreateOptions = {}): Tensor {
  assertShape("eye", [n]);
  const values = hostArray(options.dtype ?? "f32", n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return fromElements(values, [n, n], { ...options, dtype: options.dtype ?? "f32" });
}

/**
 * start, start + step, ... below `end` (above it for a negative step); `arange(end)` starts at 0. Default dtype i32 when all three are
 * whole numbers, else f32.
 *
 * @shape -> [ceil((end - start) / step)]
 * @throws {ValueError} E_VALUE when step is 0 or something is not finite.
 * @source torch.arange
 */
export function arange(start: number, end?: number, step = 1, options: CreateOptions = {}): Tensor {
  const [first, last] = end === undefined ? [0, start] : [start, end];
  if (step === 0 || !Number.isFinite(first) || !Number.isFinite(last) || !Number.isFinite(step)) {
    throw new ValueError(`arange: start is ${first}, end ${last}, step ${step}; all must be finite and step not 0.`, {
      start: first,
      end: last,
      step,
    });
  }
  const isWhole = [first, last, step].every(Number.isInteger);
  const count = Math.max(0, Math.ceil((last - first) / step));
  const values = Array.from({ length: count }, (_, i) => first + i * step);
  return tensor(values, { dtype: options.dtype ?? (isWhole ? "i32" : "f32"), ...options });
}

/** Uniform in [low, high) from an explicit source. @shape -> shape @source torch.rand */
export function rand(
  shape: Shape,
  source: RandomSource,
  options: CreateOptions & { low?: number; high?: number } = {},
): Tensor {
  assertShape("rand", shape);
  const values = new Float32Array(numElements(shape));
  source.fillUniform(values, options.low ?? 0, options.high ?? 1);
  return fromElements(values, shape, { ...options, dtype: "f32" });
}

/** Normal with mean 0 and standard deviation 1, or as given, from an explicit source. @shape -> shape @source torch.randn */
export function randn(
  shape: Shape,
  source: RandomSource,
  options: CreateOptions & { mean?: number; std?: number } = {},
): Tensor {
  assertShape("randn", shape);
  const values = new Float32Array(numElements(shape));
  source.fillNormal(values, options.mean ?? 0, options.std ?? 1);
  return fromElements(values, shape, { ...options, dtype: "f32" });
}

/**
 * A tensor on memory that somebody else owns and frees: `view` must stay valid while the tensor is used.
 * @shape view's shape -> same @source none: ours
 */
export function tensorFromView(backend: Backend, view: TensorView): Tensor {
  const storage = new Storage(backend, numElements(view.shape) * bytesPerElement[view.dtype], view.buffer);
  const out = new Tensor(storage, view.dtype, view);
  track(out);
  return out;
}
