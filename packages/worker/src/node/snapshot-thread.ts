/**
 * @file Hashes a snapshot on a thread of its own, so that neither the compute thread nor the thread of the sockets is held for it. The
 * files are handed there and back without a copy; the thread lives for one snapshot.
 */
import { Worker } from "node:worker_threads";
import type { ExportedState } from "../engine/compute-engine.js";
import { exportedStateOf, type SnapshotHashes, type StateSnapshot } from "../engine/state-files.js";
import { sha256 } from "./engine-spec.js";

/** Of the snapshot thread. It is text because it needs nothing but node:crypto: a module would have to be found from source and from dist. */
const program = `
  const { parentPort } = require("node:worker_threads");
  const { createHash } = require("node:crypto");
  const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
  parentPort.once("message", ({ model, optimizer, weightsStart }) => {
    const hashes = { model: sha256(model), optimizer: sha256(optimizer), params: sha256(model.subarray(weightsStart)) };
    parentPort.postMessage({ model, optimizer, hashes }, [model.buffer, optimizer.buffer]);
  });
`;

interface HashedFiles extends Pick<StateSnapshot, "model" | "optimizer"> {
  readonly hashes: SnapshotHashes;
}

/** As `exportedStateOf` with the hashes of `hashSnapshot`. The snapshot's bytes are given away. */
export async function exportOnOtherThread({
  model,
  optimizer,
  weightsStart,
  trainer,
}: StateSnapshot): Promise<ExportedState> {
  const thread = new Worker(program, { eval: true, execArgv: [], env: {} });
  const hashed = await new Promise<HashedFiles>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", (code) => reject(new Error(`snapshot: the hashing thread ended with status ${code}.`)));
    thread.postMessage({ model, optimizer, weightsStart }, [model.buffer, optimizer.buffer]);
  });
  return exportedStateOf({ ...hashed, trainer }, hashed.hashes, sha256);
}
