/** @file Every op on navigator.gpu of a headless Chromium, in a page; and in a dedicated worker a step of training. */
import { opRegistry } from "@lockstep/core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BrowserPage, findChromium, openPage } from "../e2e/browser-page.js";
import { type PackageServer, servePackages } from "./package-server.js";

const chromium = findChromium();
const isRequired = process.env.LOCKSTEP_REQUIRE_GPU === "1";
const suiteLimitMs = 540_000;

/** Runs the suite op by op; `window.done` becomes what it found. */
const pageScript = `
import { opRegistry, opSuite } from "@lockstep/core/testing";
import { createWebGpuBackend } from "@lockstep/gpu-backend";
async function runSuite() {
  const found = { ops: {} };
  try {
    const backend = await createWebGpuBackend(navigator.gpu, { allowSoftware: true });
    const suite = opSuite({ createBackend: () => backend, ops: opRegistry });
    for (const { op, name, check, run } of suite.cases) {
      if (!["values", "vjp", "no gradient"].includes(check)) continue;
      const entry = (found.ops[op] ??= { passed: 0, failures: [] });
      try { await run(); entry.passed++; } catch (error) { entry.failures.push(name + ": " + error.message); }
    }
  } catch (error) { found.error = String(error.stack ?? error); }
  return found;
}
globalThis.done = runSuite();`;

const workerScript = `
import { losses, nn, optim, tensor, withBackend } from "@lockstep/core";
import { createWebGpuBackend } from "@lockstep/gpu-backend";
try {
  const backend = await createWebGpuBackend(navigator.gpu, { allowSoftware: true });
  const sums = [];
  const layer = withBackend(backend, () => new nn.Linear(3, 2));
  const optimizer = new optim.Sgd(layer.parameters(), { learningRate: 0.5 });
  for (let step = 0; step < 20; step++) {
    const { sum } = withBackend(backend, () => {
      const x = tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]);
      const loss = losses.crossEntropy(layer.forward(x), tensor([0, 1, 0, 1], { dtype: "i32" }));
      loss.sum.backward();
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    });
    sums.push(await sum.item());
  }
  postMessage({ sums, numericClass: backend.numericClass });
} catch (error) { postMessage({ error: String(error.stack ?? error) }); }`;

const pages = {
  "/page.html": `<!doctype html><title>ops</title><script type="module" src="/page.js"></script>`,
  "/page.js": pageScript,
  "/worker.html": `<!doctype html><title>worker</title><script>
    globalThis.done = new Promise((resolve) => {
      new Worker("/worker.js", { type: "module" }).onmessage = ({ data }) => resolve(data);
    });
  </script>`,
  "/worker.js": workerScript,
};

interface Found {
  readonly error?: string;
  readonly ops: Readonly<Record<string, { readonly passed: number; readonly failures: readonly string[] }>>;
}

test.runIf(isRequired)("there is a Chromium", () => expect(chromium).toBeDefined());

describe.skipIf(chromium === undefined || !isRequired)("WebGPU in Chromium", () => {
  let server: PackageServer;
  const opened: BrowserPage[] = [];
  const open = async (path: string): Promise<BrowserPage> => {
    const page = await openPage(chromium!, `${server.url}${path}`, ["--enable-unsafe-webgpu"]);
    opened.push(page);
    return page;
  };
  /** What the page's script ends with. */
  const doneOf = async <T>(page: BrowserPage): Promise<T> => {
    const options = { expression: "globalThis.done", awaitPromise: true, returnByValue: true };
    const { result } = await page.call("Runtime.evaluate", options);
    return (result as { value: T }).value;
  };

  beforeAll(async () => {
    server = await servePackages(pages);
  });
  afterAll(async () => {
    server.close();
    await Promise.all(opened.map((page) => page.close()));
  });

  test("a dedicated worker trains", async () => {
    const answer = await doneOf<{ error?: string; sums: number[]; numericClass: string }>(await open("/worker.html"));
    expect(answer.error).toBeUndefined();
    expect(answer.numericClass).toMatch(/^webgpu:/);
    expect(answer.sums[0]).toBeGreaterThan(2);
    expect(answer.sums.at(-1)).toBeLessThan(0.9 * answer.sums[0]!);
  }, 60_000);

  test(
    "every op gives the values and gradients of its f64 reference",
    async () => {
      const page = await open("/page.html");
      const found = await doneOf<Found>(page);
      expect(found.error).toBeUndefined();
      expect(Object.values(found.ops).flatMap(({ failures }) => failures)).toEqual([]);
      expect(Object.keys(found.ops).sort()).toEqual(opRegistry.map(({ name }) => name).sort());
    },
    suiteLimitMs,
  );
});
