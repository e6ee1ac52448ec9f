/** @file Entry of the compute thread: one engine, calls in order. Buckets are posted while a backward pass still runs. */
import { parentPort, workerData } from "node:worker_threads";
import type { StateSnapshot } from "../engine/state-files.js";
import type { TrainingEngine } from "../engine/training-engine.js";
import { errorReport } from "../errors.js";
import { createEngineOf } from "./engine-spec.js";
import type { CallMessage, ReplyMessage, ThreadData } from "./thread-calls.js";

const port = parentPort;
if (port === null)
  throw new Error("compute-thread: this module is the entry of a thread; start it through ThreadEngine.");

const { spec, memory, abortWord } = workerData as ThreadData;
const abortedCall = new Int32Array(abortWord);
const reply = (message: ReplyMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
let engine: TrainingEngine | undefined;

async function answer({ call, name, argument }: CallMessage): Promise<unknown> {
  engine ??= await createEngineOf(spec, { memory, nowMs: () => performance.now() });
  switch (name) {
    case "prepare":
      return engine.prepare();
    case "computeNodes":
      return engine.computeNodes(argument as CallMessage<"computeNodes">["argument"], {
        onBucket: (bucket) => reply({ kind: "bucket", call, bucket }),
        onProgress: (progress) => reply({ kind: "progress", call, progress }),
        shouldStop: () => Atomics.load(abortedCall, 0) >= call,
      });
    case "applyStep":
      return engine.applyStep(argument as number);
    case "evaluate":
      return engine.evaluate(
        argument as CallMessage<"evaluate">["argument"],
        () => Atomics.load(abortedCall, 0) >= call,
      );
    case "exportState":
      return engine.takeSnapshot();
    case "importState":
      return engine.importState(argument as CallMessage<"importState">["argument"]);
    case "dispose":
      return engine.dispose();
    default:
      return name satisfies never;
  }
}

let queue: Promise<void> = Promise.resolve();
port.on("message", (message: CallMessage) => {
  queue = queue
    .then(() => answer(message))
    .then((value) => {
      reply({ kind: "result", call: message.call, value }, message.name === "exportState" ? buffersOf(value) : []);
    })
    .catch((error: unknown) => reply({ kind: "error", call: message.call, error: errorReport(error) }));
});

/** What of a snapshot is handed over instead of copied. */
function buffersOf(value: unknown): ArrayBuffer[] {
  const { model, optimizer } = value as StateSnapshot;
  return [model.buffer, optimizer.buffer];
}
