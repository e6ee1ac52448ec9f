import type { CoordinatorMessage, WorkerMessage } from "@lockstep/protocol";
import { expect, test } from "vitest";
import { runWorker } from "./run-worker.js";
import type { SessionPorts } from "./session-ports.js";

/** A session whose engine cannot be loaded, and the timers that wait. */
function startSession() {
  const timers = new Set<() => void>();
  const sent: WorkerMessage[] = [];
  let tell: (message: CoordinatorMessage) => void = () => {};
  const ports: SessionPorts = {
    control: {
      send: (message) => sent.push(message),
      onMessage: (listener) => {
        tell = listener;
      },
      closed: new Promise(() => {}),
      putBlob: async () => {},
      fetchBlob: async () => new Uint8Array(),
      close: async () => {},
    },
    reconnect: () => Promise.reject(new Error("nobody answers")),
    peers: { link: async () => [], route: () => Promise.reject(new Error("no route")), dispose: async () => {} },
    createEngine: () => Promise.reject(new Error("no engine")),
    createExchangeTools: () => {
      throw new Error("no engine");
    },
    sha256: () => "",
    clock: {
      nowMs: () => 0,
      schedule: (_delayMs, callback) => {
        timers.add(callback);
        return () => void timers.delete(callback);
      },
    },
    log: () => {},
  };
  return { finished: runWorker(ports), timers, sent, tell: (message: CoordinatorMessage) => tell(message) };
}

test("nothing waits any more after the session ended", async () => {
  const { finished, timers, sent, tell } = startSession();
  tell({ name: "checkpointRequest", body: { step: 3, generation: 1, reason: "test" } });
  expect(sent.map(({ name }) => name)).toEqual(["workerError"]);
  expect(timers.size).toBe(1);
  tell({ name: "stop", body: { status: "failed", code: "E_TEST", reason: "test" } });
  expect(await finished).toMatchObject({ status: "failed", code: "E_TEST" });
  expect(timers.size).toBe(0);
});
