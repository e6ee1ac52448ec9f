/**
 * @file Every WGSL module that the backend can come to need, for a device that validates and does not compute: what all ops launch on all their samples
 * and layouts, what rows launch at sizes that no sample has, and each of those modules with any two operands in one buffer.
 */
import { linearActivation, nn, optim, scope, type TensorView, withBackend, zeros } from "@lockstep/core";
import { contiguousStrides, numElements } from "@lockstep/core/backend";
import { CheckError, opRegistry, opSuite } from "@lockstep/core/testing";
import { definedKernels, type LaunchOptions, type WgslKernel } from "./launch/kernel.js";
import { moduleText, planBindings } from "./launch/module-text.js";
import { createPipeline } from "./launch/pipeline.js";
import { asGpuBuffer } from "./memory/buffer-pool.js";
import { tileNames } from "./tuning/tile-table.js";
import type { WebGpuBackend } from "./webgpu-backend.js";

/** A kernel with the constants of a launch, which of its operands lay in one buffer, and in which of binary16. */
export interface KernelVariant {
  readonly kernel: WgslKernel;
  readonly constants: LaunchOptions["constants"];
  /** Numbers of buffers by operand. */
  readonly sharing: readonly number[];
  /** By operand. */
  readonly halves: readonly boolean[];
}

/** What is launched until `backend` is watched otherwise, each variant once. */
export function collectVariants(backend: WebGpuBackend): ReadonlyMap<string, KernelVariant> {
  const variants = new Map<string, KernelVariant>();
  const numbers = new Map<WgslKernel, number>();
  backend.watchLaunches({
    beginLaunch: (kernel, operands, { constants }) => {
      if (!numbers.has(kernel)) numbers.set(kernel, numbers.size);
      const buffers = Object.keys(kernel.operands).map((name) => operands[name]!.buffer);
      const sharing = buffers.map((buffer) => buffers.indexOf(buffer));
      const halves = buffers.map((buffer) => asGpuBuffer(buffer).isHalf);
      const key = `${numbers.get(kernel)} ${JSON.stringify(constants)} ${sharing} ${halves}`;
      variants.set(key, { kernel, constants, sharing, halves });
    },
    endLaunch: () => {},
    writesOfLaunch: () => undefined,
    beforeSubmit: () => {},
    afterSubmit: () => {},
  });
  return variants;
}

/**
 * Runs every op's samples forward, backward, twice backward, as composites and in awkward layouts. Their numbers are not looked at.
 *
 * @throws whatever is no wrong number, such as {BackendError} E_SHADER, E_DEVICE.
 */
export async function runEveryOp(backend: WebGpuBackend, ops = opRegistry): Promise<number> {
  const suite = opSuite({ createBackend: () => backend, ops });
  let numRun = 0;
  for (const { check, run } of suite.cases) {
    // The gradients of "values" are those of "vjp", without central differences.
    if (check === "vjp" || check === "leak") continue;
    numRun++;
    try {
      await run();
    } catch (error) {
      if (!(error instanceof CheckError)) throw error;
    }
  }
  return numRun;
}

/** Lengths of rows on both sides of every choice that a kernel makes by them. */
const lengths = [3, 40, 300, 1000, 5000, 70_000] as const;

/** Calls rows at sizes of their own choosing. Few elements: memory is what a device without one has least of. */
export async function runLargeRows(backend: WebGpuBackend): Promise<void> {
  for (const length of lengths) await withScratch(backend, (make) => rowsOfLength(backend, length, make));
  await withScratch(backend, (make) => sizedRows(backend, make));
  runActivations(backend);
  await backend.finish();
}

/** Calls what works on many tensors at once: updates of optimizers, the norm, the hash, the first bad element. */
export async function runWholeTensors(backend: WebGpuBackend): Promise<void> {
  const parameters = withBackend(backend, () =>
    [5, 3_000, 70, 900, 16, 4_097].map((length) => {
      const parameter = new nn.Parameter(zeros([length]));
      parameter.grad = zeros([length]);
      return parameter;
    }),
  );
  const optimizers = [
    new optim.AdamW(parameters),
    new optim.Sgd(parameters, { momentum: 0.9 }),
    new optim.Muon(parameters, { method: "adamW" }),
  ];
  for (const optimizer of optimizers) optimizer.step();
  const { late } = backend;
  await Promise.all([
    optim.clipGradNormAsync(parameters, 1),
    optim.clipGradNormAsync(parameters.slice(0, 1), Number.POSITIVE_INFINITY),
    late.findNonFinite(parameters[1]!),
    late.hash(parameters),
    late.hashBlocks(parameters, 1_024),
  ]);
  late.normalize(parameters[1]!, 1e-7);
  for (const optimizer of optimizers) optimizer.dispose();
  optimizers[0]!.zeroGrad();
  for (const parameter of parameters) parameter.dispose();
  await backend.finish();
}

/** Products of every height with every activation in the same kernel. */
function runActivations(backend: WebGpuBackend): void {
  withBackend(backend, () =>
    scope(() => {
      const weight = zeros([40, 8]);
      for (const activation of activations) {
        for (const rows of [3, 9, 40]) linearActivation(zeros([rows, 8]), { weight }, activation);
      }
    }),
  );
}
const activations = ["relu", "gelu", "geluTanh", "silu", "sigmoid", "tanh"] as const;

/** Calls products in every tile, with every layout of factors and result. */
export async function runTiles(backend: WebGpuBackend): Promise<void> {
  const { tiles } = backend.choices;
  for (const name of tileNames) {
    backend.choose({ tiles: [{ minElements: 0, order: [name] }] });
    await withScratch(backend, (make) => productLayouts(backend, make));
  }
  backend.choose({ tiles });
}

async function withScratch(backend: WebGpuBackend, run: (make: Make) => void): Promise<void> {
  const held: TensorView[] = [];
  run((shape, dtype = "f32") => {
    const buffer = backend.allocate(numElements(shape) * 4, dtype === "f32" ? "reducible" : "exact");
    held.push({ buffer, offset: 0, shape, strides: contiguousStrides(shape), dtype });
    return held.at(-1)!;
  });
  for (const { buffer } of held) backend.free(buffer);
  await backend.finish();
}

type Make = (shape: readonly number[], dtype?: "f32" | "i32") => TensorView;

function rowsOfLength({ kernels }: WebGpuBackend, length: number, make: Make): void {
  const [x, y, column] = [make([2, length]), make([2, length]), make([2])];
  const [weight, bias] = [make([length]), make([length])];
  kernels.softmax(x, y);
  kernels.softmaxBackward(x, y, make([2, length]));
  kernels.logSoftmax(x, y);
  kernels.logSoftmaxBackward(x, y, make([2, length]));
  kernels.layerNorm(x, weight, bias, 1e-5, { out: y, mean: column, rstd: make([2]) });
  const inputs = { dOut: y, x, weight, mean: column, rstd: make([2]) };
  kernels.layerNormBackward(inputs, make([2, length]), make([length]), make([length]));
  const [many, means] = [make([length, 2]), make([length])];
  const tall = { dOut: many, x: make([length, 2]), weight: make([2]), mean: means, rstd: make([length]) };
  kernels.layerNormBackward(tall, make([length, 2]), make([2]), make([2]));
  const targets = make([2], "i32");
  kernels.crossEntropy(x, targets, -100, { loss: column, lse: make([2]) });
  kernels.crossEntropyBackward({ dLoss: column, logits: x, targets, lse: make([2]) }, -100, y);
  const words = make([2, length], "i32");
  for (const axis of [
    { outer: 2, axisLength: length, inner: 1 },
    { outer: 1, axisLength: length, inner: 2 },
  ]) {
    for (const kind of ["sum", "max", "min"] as const) {
      kernels.reduce(kind, x, axis, make([2]));
      kernels.reduceIntegers(kind, words, axis, make([2], "i32"));
    }
    for (const kind of ["argMax", "argMin"] as const) {
      kernels.argReduce(kind, x, axis, make([2], "i32"));
      kernels.reduceIntegers(kind, words, axis, make([2], "i32"));
    }
    kernels.reduceIntegers("prod", words, axis, make([2], "i32"));
    for (const isDescending of [false, true]) {
      const sorted = { ...axis, indexLength: length };
      kernels.sort(x, sorted, isDescending, { values: y, indices: make([2, length], "i32") });
      kernels.sort(words, sorted, isDescending, {
        values: make([2, length], "i32"),
        indices: make([2, length], "i32"),
      });
      kernels.scan({ terms: x }, axis, isDescending, y);
      kernels.scan({ factors: x }, axis, isDescending, y);
      kernels.scan({ factors: x, terms: make([2, length]) }, axis, isDescending, y);
      kernels.scan({ terms: words }, axis, isDescending, make([2, length], "i32"));
    }
    const few = { ...axis, axisLength: 5, indexLength: length };
    kernels.scatterAdd(words, x, few, make([2, 5]));
    kernels.scatterAdd(words, make([2, length], "i32"), few, make([2, 5], "i32"));
  }
}

/** A matrix whose rows or columns are contiguous, from the buffer's start or one element later. */
function matrix(
  make: Make,
  [rows, columns]: readonly [number, number],
  form: { isTransposed: boolean; offset: number },
) {
  const { buffer, dtype } = make([rows * columns + 4]);
  const strides = form.isTransposed ? [1, rows] : [columns, 1];
  return { buffer, offset: form.offset, shape: [rows, columns], strides, dtype };
}

function productLayouts({ kernels }: WebGpuBackend, make: Make): void {
  const [M, K, N] = [128, 16, 128];
  const forms = [false, true].flatMap((isTransposed) => [0, 1].map((offset) => ({ isTransposed, offset })));
  for (const a of forms) {
    for (const b of forms) {
      for (const offset of [0, 1]) {
        const out = matrix(make, [M, N], { isTransposed: false, offset });
        kernels.matmul(matrix(make, [M, K], a), matrix(make, [K, N], b), out, {});
      }
    }
  }
}

function sizedRows({ kernels }: WebGpuBackend, make: Make): void {
  for (const [M, K, N] of [
    [2048, 8, 2048],
    [1024, 8, 1024],
    [200, 8, 200],
    [40, 8, 40],
    [9, 8, 500],
    [3, 8, 500],
  ] as const) {
    const out = make([M, N]);
    kernels.matmul(make([M, K]), make([K, N]), out, { bias: make([N]) });
    kernels.matmul(make([M, K]), make([K, N]), out, { accumulate: true });
  }
  for (const [T, D] of [
    [8, 16],
    [100, 16],
    [600, 300],
    [600, 16],
    [600, 64],
    [600, 100],
    [600, 150],
    [600, 200],
  ] as const) {
    const q = (): TensorView => make([1, 1, T, D]);
    const isWhole = kernels.attentionSaves([1, 1, T, D]) === "probs";
    const [saved, dOut, out] = [make(isWhole ? [1, 1, T, T] : [1, 1, T]), q(), q()];
    const inputs = { q: q(), k: q(), v: q() };
    kernels.causalAttention(inputs, 0.25, { out, saved });
    kernels.causalAttentionBackward({ ...inputs, dOut, saved, out }, 0.25, { dq: q(), dk: q(), dv: q() });
  }
  for (const L of [5, 40, 120, 300]) {
    const lengthsOf = (): TensorView => make([2], "i32");
    const logProbs = make([L + 9, 2, 12]);
    const inputs = { logProbs, targets: make([2, L], "i32"), inputLengths: lengthsOf(), targetLengths: lengthsOf() };
    kernels.ctc(inputs, 0, make([2]));
    kernels.ctcBackward(inputs, 0, make([2]), make([L + 9, 2, 12]));
  }
  // Many columns beside one another, each longer than what one invocation walks.
  const [index, axis] = [make([300, 20_000], "i32"), { outer: 1, axisLength: 5, inner: 20_000, indexLength: 300 }];
  kernels.scatterAdd(index, make([300, 20_000]), axis, make([5, 20_000]));
  kernels.scatterAdd(index, make([300, 20_000], "i32"), axis, make([5, 20_000], "i32"));
}

/**
 * Compiles each variant with its operands as they were, apart, and all in one buffer; those that rooms define also with any two of them in one, which is
 * not done for the hundreds of element-wise programs, whose operands are all alike. As far as the device binds so many buffers.
 *
 * @param known texts that were compiled before: left out, and added to.
 * @returns how many modules that were, and what the device said of those that it does not take.
 */
export async function compileVariants(
  device: GPUDevice,
  variants: Iterable<KernelVariant>,
  known = new Set<string>(),
): Promise<{ readonly numModules: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let numModules = 0;
  for (const { kernel, constants, sharing, halves } of variants) {
    const settled: Promise<void>[] = [];
    for (const ids of [sharing, ...sharings(kernel)]) {
      if (new Set(ids).size > device.limits.maxStorageBuffersPerShaderStage) continue;
      if (ids.some((id, i) => halves[i] !== halves[ids.indexOf(id)])) continue;
      const plan = planBindings(kernel.operands, ids, halves);
      const text = moduleText(kernel, plan, constants);
      if (known.has(text)) continue;
      known.add(text);
      numModules++;
      settled.push(
        createPipeline(device, { kernel, plan, constants }, ({ message }) => failures.push(message)).settled,
      );
    }
    await Promise.all(settled);
  }
  return { numModules, failures };
}

/** Numbers of buffers by operand. Atomic operands are in buffers of their own. */
function* sharings(kernel: WgslKernel): Generator<readonly number[]> {
  const kinds = Object.values(kernel.operands);
  const apart = kinds.map((_, i) => i);
  yield apart;
  const mayShare = apart.filter((i) => !kinds[i]!.endsWith("atomic"));
  yield apart.map((i) => (mayShare.includes(i) ? mayShare[0]! : i));
  if (!definedKernels().includes(kernel)) return;
  for (const j of mayShare) for (const i of mayShare) if (i < j) yield apart.with(j, i);
}
