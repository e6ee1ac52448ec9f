/** @file The op suite is only worth something if it fails for a broken op: known bugs are planted in sound ones. */
import { createCpuBackend, customGrad, keep, mul, neg, type Tensor, tensor, tensorFromView } from "@lockstep/core";
import { createNodeCpuBackend, type NodeCpuBackend } from "@lockstep/core/node";
import { type Op, type OpSuiteOptions, opHashes, opRegistry, opSuite } from "@lockstep/core/testing";
import { expect, test } from "vitest";

type Compute = (...inputs: Tensor[]) => Tensor;

function opNamed(name: string): Op {
  return opRegistry.find((op) => op.name === name)!;
}

/** The op with its one output computed in another way. Samples with numbers among the inputs stay sound. */
function planted(name: string, plant: (sound: Compute, attrs: unknown) => Compute): Op {
  const op = opNamed(name);
  return {
    ...op,
    call: (inputs, attrs) => {
      if (inputs.some((input) => typeof input === "number")) return op.call(inputs, attrs);
      const sound: Compute = (...tensors) => op.call(tensors, attrs)[0]!;
      return [plant(sound, attrs)(...(inputs as Tensor[]))];
    },
  };
}

const twoThreads = { "2 threads": () => createNodeCpuBackend({ threads: 2, maxGrain: 1 }) };

/** Names of the checks that fail, once each; the hashes and bits to compare with are those of the sound ops. */
async function failuresOf(ops: readonly Op[], twins: OpSuiteOptions["twins"] = {}): Promise<string[]> {
  const backend = createCpuBackend();
  const sound = ops.map((op) => opNamed(op.name));
  const suite = opSuite({ createBackend: createCpuBackend, twins, hashes: await opHashes(backend, sound), ops });
  const failed = new Set<string>();
  for (const { check, run } of suite.cases) {
    try {
      await run();
    } catch {
      failed.add(check);
    }
  }
  await suite.dispose();
  backend.dispose();
  return [...failed];
}

/** square, whose vjp is 2 x g, with another vjp. */
function squareWith(vjp: (g: Tensor, x: Tensor) => Tensor): Op {
  return planted("square", (sound) => (x) => {
    if (x.dtype === "i32") return sound(x);
    return customGrad(sound, (g, { inputs }) => [vjp(g, inputs[0]!)])(x);
  });
}

function isFloat(x: Tensor): boolean {
  return x.dtype === "f32" && x.size > 0;
}

const plants: readonly [bug: string, op: Op, finds: string][] = [
  ["a sign in a vjp is wrong", squareWith((g, x) => neg(mul(mul(g, x), 2))), "vjp"],
  ["a factor in a vjp is a thousandth too large", squareWith((g, x) => mul(mul(g, x), 2.002)), "vjp"],
  ["a vjp is not recorded", squareWith((g, x) => mul(mul(g, x.detach()), 2)), "second derivative"],
  ["a vjp passes the cotangent through", squareWith((g) => mul(g, 1)), "vjp"],
  [
    "a vjp forgets an input",
    planted("mul", (sound) => (x, y) => {
      if (x!.dtype === "i32" || x!.numDims !== 2 || y!.numDims !== 2) return sound(x!, y!);
      return customGrad(sound, (g, { inputs }) => [mul(g, inputs[1]!), undefined])(x!, y!);
    }),
    "vjp",
  ],
  [
    "backward writes the cotangent",
    squareWith((g, x) => {
      const out = mul(mul(g, x), 2);
      if (isFloat(g)) g.backend.kernels.addInto(g, g, g);
      return out;
    }),
    "vjp",
  ],
  [
    "a kernel writes its input",
    planted("tanh", (sound) => (x) => {
      const out = sound(x!);
      if (isFloat(x!) && x!.isContiguous) x!.backend.kernels.fill(x!, 0);
      return out;
    }),
    "values",
  ],
  [
    "a buffer is never freed",
    planted("exp", (sound) => (x) => {
      keep(tensor([1, 2, 3]));
      return sound(x!);
    }),
    "leak",
  ],
  [
    "the last element of a reduction is dropped",
    planted("sum", (sound, attrs) => (x) => {
      const { axis } = attrs as { axis: number };
      const length = x!.shape[axis]!;
      return length < 2 ? sound(x!) : sound(x!.narrow(axis, 0, length - 1));
    }),
    "values",
  ],
  [
    "the last of an odd number of elements is not computed",
    planted("sigmoid", (sound) => (x) => {
      const out = sound(x!);
      if (out.size % 2 === 0) return out;
      const flat = out.reshape([-1]);
      const last = tensorFromView(out.backend, { ...viewOf(flat), offset: flat.size - 1, shape: [1], strides: [1] });
      out.backend.kernels.fill(last, 0);
      return out;
    }),
    "values",
  ],
  [
    "strides and offset are not looked at",
    planted("relu", (sound) => (x) => sound(x!.isContiguous ? x! : asIfContiguous(x!))),
    "reversed",
  ],
  [
    "the bits depend on the number of threads",
    planted("cos", (sound) => (x) => {
      const isAlone = (x!.backend as NodeCpuBackend).numThreads === 1;
      return isAlone ? sound(x!) : mul(sound(x!), 1.0000002);
    }),
    "2 threads",
  ],
  ["a result is rounded otherwise than committed", planted("sin", (sound) => (x) => mul(sound(x!), 1.0000002)), "hash"],
  [
    "a fused op is not its composite",
    { ...opNamed("softmax"), composite: (inputs, attrs) => [mul(opNamed("softmax").call(inputs, attrs)[0]!, 1.001)] },
    "composite",
  ],
  ["an op without a gradient records one", { ...opNamed("square"), notDifferentiable: "planted" }, "no gradient"],
  ["an output has another shape", planted("abs", (sound) => (x) => sound(x!).reshape([1, ...x!.shape])), "values"],
];

function viewOf({ buffer, offset, shape, strides, dtype }: Tensor) {
  return { buffer, offset, shape, strides, dtype };
}

/** The first elements of the memory, in the shape of `x`: what a kernel sees that knows nothing of strides. */
function asIfContiguous(x: Tensor): Tensor {
  const strides = x.shape.map((_, axis) => x.shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return x.viewAs({ offset: 0, shape: x.shape, strides });
}

for (const [bug, op, finds] of plants) {
  test(`the suite fails when ${bug}`, async () => {
    expect(await failuresOf([op], finds in twoThreads ? twoThreads : {})).toContain(finds);
  });
}

test("sound ops pass", async () => {
  const names = new Set(plants.map(([, op]) => op.name));
  expect(await failuresOf([...names].map(opNamed), twoThreads)).toEqual([]);
});

test("a sample without a committed hash fails", async () => {
  const suite = opSuite({ createBackend: createCpuBackend, hashes: {}, ops: [opNamed("add")] });
  const hashCases = suite.cases.filter(({ check }) => check === "hash");
  expect(hashCases.length).toBe(opNamed("add").samples.length);
  for (const { run } of hashCases) await expect(run()).rejects.toThrowError(/none is committed/);
  await suite.dispose();
});
