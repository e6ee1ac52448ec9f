/**
 * @file Entry of the compute thread: one engine, calls in order. Buckets are posted while a backward pass still runs. Only the hashing of
 * an exported state goes on beside later calls, on a thread of its own.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { ExportedState } from "../engine/compute-engine.js";
import type { TrainingEngine } from "../engine/training-engine.js";
import { errorReport } from "../errors.js";
import { createEngineOf } from "./engine-spec.js";
import { exportOnOtherThread } from "./snapshot-thread.js";
import type { CallMessage, ReplyMessage, ThreadData } from "./thread-calls.js";

const port = parentPort;
if (port === null)
  throw new Error("compute-thread: this module is the entry of a thread; start it through ThreadEngine.");

const { spec, memory, abortWord } = workerData as ThreadData;
const abortedCall = new Int32Array(abortWord);
const reply = (message: ReplyMessage, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
let engine: TrainingEngine | undefined;

/** What `answer` gives when the reply comes by itself. */
const answersLater = Symbol("answersLater");

function buffersOf({ files }: ExportedState): ArrayBuffer[] {
  return files.map(({ bytes }) => bytes.buffer as ArrayBuffer);
}

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
      exportOnOtherThread(engine.takeSnapshot()).then(
        (state) => reply({ kind: "result", call, value: state }, buffersOf(state)),
        (error: unknown) => reply({ kind: "error", call, error: errorReport(error) }),
      );
      return answersLater;
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
      if (value !== answersLater) reply({ kind: "result", call: message.call, value });
    })
    .catch((error: unknown) => reply({ kind: "error", call: message.call, error: errorReport(error) }));
});
