/**
 * @file What a helper thread runs: a string, so that it starts the same from source, from a build and from a bundle.
 * It knows the memory and the layout of control-words.ts and memory-layout.ts, which come as workerData.
 */

export interface ThreadProgramData {
  readonly memory: WebAssembly.Memory;
  /** 1 .. numThreads - 1 */
  readonly thread: number;
  readonly words: Readonly<Record<string, number>>;
  readonly controlWord: number;
  readonly directoryWord: number;
  readonly argsAddress: number;
  readonly argsBytes: number;
  /** Looks at `generation` before it sleeps. */
  readonly numSpins: number;
  /** A V8 flag to set before anything is compiled. */
  readonly v8Flag: string | undefined;
}

export const threadProgram = `"use strict";
const { workerData } = require("node:worker_threads");
const { memory, thread, words, controlWord, directoryWord, argsAddress, argsBytes, numSpins, v8Flag } = workerData;
if (v8Flag) require("node:v8").setFlagsFromString(v8Flag);
const control = new Int32Array(memory.buffer, 4 * controlWord, 1000);
const modules = [];

function compile(moduleIndex) {
  // A thread that starts while the memory grows may keep the old, shorter buffer (Node 20: 23 of 1,200 starts on a busy machine);
  // growing by nothing makes it look again.
  memory.grow(0);
  const directory = new Int32Array(memory.buffer, 4 * directoryWord);
  const address = directory[2 * moduleIndex] >>> 0;
  const bytes = new Uint8Array(memory.buffer, address, directory[2 * moduleIndex + 1]).slice();
  const compiled = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return (modules[moduleIndex] = WebAssembly.Module.exports(compiled).map(({ name }) => exports[name]));
}

function work() {
  const kernelId = control[words.kernelId];
  const numItems = control[words.numItems];
  const chunk = control[words.chunk];
  let begin = Atomics.add(control, words.nextItem, chunk);
  if (begin >= numItems) return;
  const kernel = (modules[kernelId >>> 10] || compile(kernelId >>> 10))[kernelId & 1023];
  for (; begin < numItems; begin = Atomics.add(control, words.nextItem, chunk)) {
    const end = Math.min(begin + chunk, numItems);
    kernel(begin, end, argsAddress);
    Atomics.add(control, words.numItemsOf + thread, end - begin);
  }
}

function takePart() {
  Atomics.add(control, words.numActive, 1);
  try {
    if (Atomics.load(control, words.isOpen) === 1) work();
  } catch (error) {
    // The caller sleeps and hears no messages: what happened goes into this thread's args block, ended by a 0.
    const text = Buffer.from(String(error && error.stack || error)).subarray(0, argsBytes - 1);
    const block = new Uint8Array(memory.buffer, argsAddress, argsBytes);
    block.set(text);
    block[text.length] = 0;
    Atomics.store(control, words.failedThread, 1 + thread);
  }
  if (Atomics.sub(control, words.numActive, 1) === 1 && Atomics.load(control, words.isCallerWaiting) === 1) {
    Atomics.notify(control, words.numActive);
  }
}

let seen = 0;
while (Atomics.load(control, words.isStopped) === 0) {
  let spins = 0;
  while (Atomics.load(control, words.generation) === seen && spins < numSpins) spins += 1;
  if (Atomics.load(control, words.generation) === seen) {
    Atomics.add(control, words.numSleeping, 1);
    Atomics.wait(control, words.generation, seen);
    Atomics.sub(control, words.numSleeping, 1);
  }
  const generation = Atomics.load(control, words.generation);
  if (generation === seen) continue;
  seen = generation;
  takePart();
}
`;
