import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import type { TensorView } from "../backend/backend.js";
import { controlWords } from "../cpu/control-words.js";
import { argsAddress, argsBlockBytes, argsBytes, controlAddress, directoryAddress } from "../cpu/memory-layout.js";
import { randomValues, valuesOf, viewOf } from "../cpu/views.testkit.js";
import { assembleModule, FunctionBuilder } from "../cpu/wasm/assembler.js";
import * as E from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { hash128 } from "../hash/hash128.js";
import { createNodeCpuBackend, type NodeCpuBackend } from "./create-node-cpu-backend.js";
import { type ThreadProgramData, threadProgram } from "./thread-program.js";
import { WorkerThreadTeam } from "./worker-thread-team.js";

const threadCounts = [1, 2, 3, 5, 8];
const x = E.input(0);
const y = E.input(1);
const chain = elementwiseProgram("chain", ["f32", "f32"], [E.add(E.mul(E.exp(x), y), E.tanh(y)), E.sub(x, E.erf(y))]);
const shape = [300, 701];
const size = 300 * 701;

/** Results whose bits must not depend on threads, by name. */
const jobs: Record<string, (backend: NodeCpuBackend) => TensorView[]> = {
  elementwise(backend) {
    const inputs = [viewOf(backend, shape, randomValues(1, size)), viewOf(backend, shape, randomValues(2, size))];
    const outputs = [viewOf(backend, shape), viewOf(backend, shape)];
    backend.elementwise(chain, inputs, [], outputs);
    return outputs;
  },
  broadcast(backend) {
    const row = viewOf(backend, [701], randomValues(3, 701));
    const outputs = [viewOf(backend, shape), viewOf(backend, shape)];
    const column = viewOf(backend, [300, 1], randomValues(4, 300));
    backend.elementwise(
      chain,
      [
        { ...row, shape, strides: [0, 1] },
        { ...column, shape, strides: [1, 0] },
      ],
      [],
      outputs,
    );
    return outputs;
  },
  reductions(backend) {
    const source = viewOf(backend, shape, randomValues(5, size));
    const reduceTo = (kind: "sum" | "max", outer: number, axisLength: number, inner: number) => {
      const out = viewOf(backend, [outer * inner]);
      backend.kernels.reduce(kind, source, { outer, axisLength, inner }, out);
      return out;
    };
    return [
      reduceTo("sum", 1, size, 1),
      reduceTo("sum", 300, 701, 1),
      reduceTo("sum", 1, 300, 701),
      reduceTo("max", 30, 10, 701),
    ];
  },
  copyAndDraw(backend) {
    const source = viewOf(backend, shape, randomValues(6, size));
    const out = viewOf(backend, [701, 300]);
    backend.kernels.copy({ ...source, shape: [701, 300], strides: [1, 701] }, out);
    const drawn = viewOf(backend, shape);
    backend.kernels.philoxUniform({ seedLo: 7, seedHi: 8, step: 3, m: 2, use: 1 }, drawn);
    const norm = backend.kernels.sumSquares([out, drawn, source]);
    return [out, drawn, viewOf(backend, [2], new Float32Array(Float64Array.of(norm).buffer))];
  },
};

const square = elementwiseProgram("square", ["f32"], [E.exp(E.mul(x, x))]);

function itemsOfHelpers(backend: NodeCpuBackend): number {
  return (backend.team?.itemsOfThreads() ?? []).slice(1).reduce((sum, items) => sum + items, 0);
}

/** Helpers start in their own time; each launch is complete whether they have or not. Launches until one of them took part. */
function awaitHelper(backend: NodeCpuBackend): void {
  if (!backend.team) return;
  const large = viewOf(backend, [2 ** 18], randomValues(1, 2 ** 18));
  for (let i = 0; i < 20_000 && itemsOfHelpers(backend) === 0; i++) backend.elementwise(square, [large], [], [large]);
  expect(itemsOfHelpers(backend)).toBeGreaterThan(0);
  backend.free(large.buffer);
}

/** One hash a job: of all its results' bytes. */
const committed: Record<string, string> = {
  elementwise: "0ef35e2d758455cccd65080a32532e5b",
  broadcast: "292e6bdc3c377187212b480e32d551ba",
  reductions: "cb2a508de8a08def96d13102f7c03d09",
  copyAndDraw: "fc6900d3569f408f7c98468a64b79a14",
};

describe("threads", () => {
  const backends = threadCounts.map((threads) => createNodeCpuBackend({ threads }));
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });

  for (const [name, job] of Object.entries(jobs)) {
    test(`${name}: the committed bits with 1, 2, 3, 5 and 8 threads`, () => {
      const hashes = backends.map((backend) => {
        awaitHelper(backend);
        const views = job(backend);
        const hash = hash128(...views.map((view) => new Uint8Array(valuesOf(backend, view).buffer)));
        for (const view of views) backend.free(view.buffer);
        return hash;
      });
      expect(hashes).toEqual(threadCounts.map(() => committed[name]));
    });
  }

  test("helpers take part in large launches, none in small ones, and the caller goes on alone after dispose", () => {
    const backend = createNodeCpuBackend({ threads: 3 });
    const small = viewOf(backend, [100], randomValues(1, 100));
    for (let i = 0; i < 50; i++) backend.elementwise(square, [small], [], [small]);
    expect(itemsOfHelpers(backend)).toBe(0);
    awaitHelper(backend);
    backend.dispose();
    const large = viewOf(backend, [2 ** 20], new Float32Array(2 ** 20));
    backend.elementwise(square, [large], [], [large]);
    expect(valuesOf(backend, large).every((value) => value === 1)).toBe(true);
  });

  test("a kernel that traps in a helper is an error that says where and why", () => {
    const memory = new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true });
    const team = new WorkerThreadTeam({ memory, numThreads: 2, numSpins: 0, v8Flag: undefined });
    const control = new Int32Array(memory.buffer, controlAddress, 1000);
    const isolate = (id: number) => ({ id, run: () => void Atomics.wait(control, 999, 0, 5) });
    // No module was ever published at this place: the helper's compilation throws.
    const launchUntilTaken = () => {
      for (let i = 0; i < 400; i++) team.run(isolate(7 * 1_024), 64, 1);
    };
    expect(launchUntilTaken).toThrow(
      /^launch: a kernel threw in helper thread 1 of 2; kernels must not trap. Report it with the op that ran: (CompileError|RangeError|TypeError).*WebAssembly/,
    );
    team.dispose();
  });

  test("a helper that started while the memory grew finds the modules beyond the size that it saw", () => {
    const memory = new WebAssembly.Memory({ initial: 5, maximum: 64, shared: true });
    const control = new Int32Array(memory.buffer, controlAddress, 1000);
    const helperStarted = 998;
    // What engines do to such a thread, seldom: its buffer stays as short as it was until the thread itself grows the memory.
    const keepShort = `{
      const { memory } = require("node:worker_threads").workerData;
      const { get } = Object.getOwnPropertyDescriptor(WebAssembly.Memory.prototype, "buffer");
      const short = memory.buffer;
      let isShort = true;
      Object.defineProperty(memory, "buffer", { get: () => (isShort ? short : get.call(memory)) });
      memory.grow = (pages) => {
        isShort = false;
        return WebAssembly.Memory.prototype.grow.call(memory, pages);
      };
      Atomics.store(new Int32Array(short, ${controlAddress}, 1000), ${helperStarted}, 1);
    }`;
    const argsOfHelper = argsAddress + argsBlockBytes;
    const workerData: ThreadProgramData = {
      ...{
        memory,
        thread: 1,
        words: controlWords,
        controlWord: controlAddress / 4,
        directoryWord: directoryAddress / 4,
      },
      ...{ argsAddress: argsOfHelper, argsBytes, numSpins: 0, v8Flag: undefined },
    };
    const helper = new Worker(`${keepShort}${threadProgram}`, { eval: true, workerData, execArgv: [] });
    for (let i = 0; i < 6_000 && Atomics.load(control, helperStarted) === 0; i++) Atomics.wait(control, 999, 0, 10);

    const f = new FunctionBuilder("answer", ["i32", "i32", "i32"]);
    f.get(f.params[2]!).i32(42).mem("i32.store", 8);
    const module = assembleModule([f], { initialPages: 1, maximumPages: 64, shared: true });
    memory.grow(20);
    new Uint8Array(memory.buffer).set(module, 20 * 65_536);
    new Int32Array(memory.buffer).set([20 * 65_536, module.byteLength], directoryAddress / 4);
    const team = new WorkerThreadTeam({ memory, numThreads: 1, numSpins: 0, v8Flag: undefined });
    const wait = { id: 0, run: () => void Atomics.wait(control, 999, 0, 5) };
    for (let i = 0; i < 400 && Atomics.load(control, controlWords.numItemsOf + 1) === 0; i++) team.run(wait, 64, 1);
    expect(new Int32Array(memory.buffer)[argsOfHelper / 4 + 2]).toBe(42);
    team.dispose();
    return helper.terminate();
  });

  test("refuses a number of threads that is not an integer from 1 to 64", () => {
    for (const threads of [0, 1.5, 65, Number.NaN]) {
      expect(() => createNodeCpuBackend({ threads })).toThrowError(
        expect.objectContaining({ code: "E_VALUE", fields: { threads, maxThreads: 64 } }),
      );
    }
  });
});
