/**
 * @file A process that trains gpt-small in a plain loop (`plain-loop-process.js NUM_MICRO_BATCHES STEPS`), micro-batches as in
 * jobs/gpt-small.ts. It says "ready" after a warm-up, starts on "go", and prints its tokens a second.
 */
import { createNodeCpuBackend } from "@lockstep/core/node";
import { createWork } from "./bench-models.js";

const rowsPerMicroBatch = 2;
const [numMicroBatches = 8, steps = 10] = process.argv.slice(2).map(Number);
const backend = createNodeCpuBackend({ numeric: "strict", threads: 1 });
const work = createWork(backend, "gpt-small", numMicroBatches, rowsPerMicroBatch * numMicroBatches);
for (let i = 0; i < 3; i++) work.step();

process.on("message", () => {
  const startMs = performance.now();
  for (let i = 0; i < steps; i++) work.step();
  const tokensPerSec = (steps * work.unitsPerStep * 1000) / (performance.now() - startMs);
  process.send?.({ tokensPerSec });
  backend.dispose();
  process.disconnect?.();
});
process.send?.("ready");
