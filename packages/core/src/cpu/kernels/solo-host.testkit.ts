/**
 * @file One thread, one memory, no allocator to speak of: runs structural kernels by themselves, for their unit tests.
 */
import type { DeviceBuffer, TensorView } from "../../backend/backend.js";
import type { DTypeArray } from "../../tensor/dtype.js";
import type {
  ArgTypes,
  BuildContext,
  CpuNumericClass,
  FunctionDefinition,
  Kernel,
  KernelHost,
  LaunchOptions,
} from "../kernel.js";
import { assembleModule, type FunctionBuilder } from "../wasm/assembler.js";

const pages = 8192;
const blockAddress = 1024;
const scratchAddress = 8192;
const scratchLimit = 1 << 23;

type KernelFunction = (begin: number, end: number, args: number) => void;

export interface SoloHost extends KernelHost {
  readonly memory: WebAssembly.Memory;
  /** A buffer of this many elements, filled with NaN-like garbage. */
  allocate(length: number): TensorView;
  /** A contiguous view of a copy of the values. */
  put(values: DTypeArray, shape?: readonly number[]): TensorView;
  /** Elements of a view in row-major order. */
  get(view: TensorView): DTypeArray;
  /** From here on launches run as so many separate ranges. */
  splitInto(parts: number): void;
  reset(): void;
}

export function createSoloHost(kernels: readonly Kernel[], numericClass: CpuNumericClass): SoloHost {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const functions: FunctionBuilder[] = [];
  const indices = new Map<FunctionDefinition, number>();
  const context: BuildContext = {
    numericClass,
    indexOf(definition) {
      const known = indices.get(definition);
      if (known !== undefined) return known;
      const built = definition.build(context);
      functions.push(built);
      indices.set(definition, functions.length - 1);
      return functions.length - 1;
    },
  };
  for (const kernel of kernels) context.indexOf(kernel);
  const bytes = assembleModule(functions, { initialPages: 1, maximumPages: 65536, shared: false });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const f32 = new Float32Array(memory.buffer);
  const i32 = new Int32Array(memory.buffer);
  const f64 = new Float64Array(memory.buffer);
  let next = scratchLimit;
  let parts = 1;
  const take = (byteLength: number): number => {
    const address = next;
    next += Math.ceil(byteLength / 64) * 64;
    if (next > pages * 65536 - 64) throw new Error("solo host is full");
    return address;
  };
  const addressOf = (view: TensorView): number =>
    (view.buffer as DeviceBuffer & { address: number }).address + 4 * view.offset;
  const host: SoloHost = {
    memory,
    numericClass,
    addressOf,
    launch<A extends ArgTypes>(kernel: Kernel<A>, args: Record<keyof A, number>, options: LaunchOptions): void {
      i32[blockAddress / 4] = scratchAddress;
      Object.entries(kernel.args).forEach(([name, type], i) => {
        const value = args[name];
        if (value === undefined) throw new Error(`${kernel.name}: no value for ${name}`);
        (type === "i32" ? i32 : f32)[blockAddress / 4 + 1 + i] = value;
      });
      i32.set(options.words ?? [], blockAddress / 4 + 1 + Object.keys(kernel.args).length);
      for (let part = 0; part < parts; part++) {
        const begin = Math.floor((part * options.numItems) / parts);
        const end = Math.floor(((part + 1) * options.numItems) / parts);
        if (end > begin) (exports[kernel.name] as KernelFunction)(begin, end, blockAddress);
      }
    },
    withTemporary(byteLength, use) {
      const kept = next;
      const result = use(take(byteLength));
      next = kept;
      return result;
    },
    words: () => ({ f32, i32, f64 }),
    allocate(length) {
      const address = take(4 * length);
      f32.fill(Number.NaN, address / 4, address / 4 + Math.ceil(length / 16) * 16);
      const buffer = { byteLength: 4 * length, address };
      return { buffer, offset: 0, shape: [length], strides: [1], dtype: "f32" };
    },
    put(values, shape = [values.length]) {
      const view = host.allocate(values.length);
      const dtype = values instanceof Int32Array ? "i32" : "f32";
      (dtype === "i32" ? i32 : f32).set(values, addressOf(view) / 4);
      return { ...view, shape, strides: rowMajor(shape), dtype };
    },
    get(view) {
      const source = view.dtype === "i32" ? i32 : f32;
      const length = view.shape.reduce((product, size) => product * size, 1);
      const out = view.dtype === "i32" ? new Int32Array(length) : new Float32Array(length);
      const base = addressOf(view) / 4;
      for (let i = 0; i < length; i++) {
        let at = base;
        let rest = i;
        for (let axis = view.shape.length - 1; axis >= 0; axis--) {
          const size = view.shape[axis]!;
          at += (rest % size) * view.strides[axis]!;
          rest = Math.floor(rest / size);
        }
        out[i] = source[at]!;
      }
      return out;
    },
    splitInto(count) {
      parts = count;
    },
    reset() {
      next = scratchLimit;
    },
  };
  return host;
}

export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}
