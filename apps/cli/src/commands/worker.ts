/** @file `lockstep worker URL`: joins a coordinator from this machine. Needs the URL and the token, nothing of the job. */
import { mkdirSync, mkdtempSync, statSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { runNodeWorker } from "@lockstep/worker/node";
import { WebSocket, WebSocketServer } from "ws";
import { parseCoordinatorUrl } from "../coordinator-url.js";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import {
  type ComputeFlags,
  type LogFlags,
  refuseHalvesOnCpu,
  refuseMixedClasses,
  refuseUpdatesOnCpu,
} from "../flags/common-flags.js";
import { chooseDevice } from "../gpu/choose-device.js";
import { onInterrupt } from "../interrupt.js";
import { resolveRoom } from "../job/resolve-room.js";
import { createProgressView } from "../terminal/progress.js";
import { promptToken, readToken, type TokenFlags } from "../token.js";
import { version } from "../version.js";

interface WorkerFlags extends ComputeFlags, LogFlags, TokenFlags {
  readonly name?: string;
  readonly listen?: string;
  readonly cache?: string;
  readonly reconnectTimeout?: number;
  readonly tokenFromParent?: boolean;
}

const childGraceMs = 1_000;

export async function worker(url: string, flags: WorkerFlags): Promise<ExitStatus> {
  const address = parseCoordinatorUrl(url, "worker");
  assertListen(flags.listen);
  if (flags.tokenFromParent !== true) refuseMixedClasses("worker", flags);
  if (flags.tokenFromParent !== true) refuseHalvesOnCpu("worker", flags);
  if (flags.tokenFromParent !== true) refuseUpdatesOnCpu("worker", flags);
  if (flags.backend.length !== 1) {
    throw new UsageError(
      `worker: --backend has ${flags.backend.length} entries; a worker computes in one place. Give one of cpu, webgpu and auto.`,
      { backend: flags.backend },
      "E_USAGE_BACKEND",
    );
  }
  const controller = new AbortController();
  const token = flags.tokenFromParent === true ? await receiveToken(controller) : await findToken(flags);
  const stopListening = listenForStop(flags, controller);
  const view = createProgressView({
    format: flags.logFormat,
    quiet: flags.quiet,
    lastStep: 0,
    stream: process.stdout,
    nowMs: Date.now,
  });
  try {
    const device = await chooseDevice(flags.backend[0]!, flags.precision, (line) => view.warn(line), {
      noRecord: flags.record === false,
      isChecked: flags.tokenFromParent === true,
      updates: flags.update === "device",
    });
    const result = await runNodeWorker({
      url: address,
      token,
      sockets: { WebSocket, WebSocketServer },
      threads: flags.threads ?? availableParallelism(),
      cacheDir: flags.cache ?? privateCache(),
      resolveRoom,
      lockstepVersion: version,
      log: (level, message, fields) => {
        if (level === "info") view.note(message, fields);
        else if (level !== "debug") view.warn(message, fields);
      },
      signal: controller.signal,
      ...(flags.reconnectTimeout === undefined ? {} : { timeouts: { reconnectMs: flags.reconnectTimeout * 1_000 } }),
      ...(device === undefined ? {} : { device }),
      ...(flags.numeric === undefined ? {} : { numeric: flags.numeric }),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    });
    view.end();
    if (result.status === "completed") return exitStatus.completed;
    if (controller.signal.aborted) return exitStatus.interrupted;
    process.stderr.write(`error: ${result.reason} (${result.code})\n`);
    return exitStatus.failed;
  } finally {
    stopListening();
    if (process.connected) process.disconnect();
    // A local child is nobody's when it is done: whatever still holds the loop must not keep the process.
    if (flags.tokenFromParent === true) setTimeout(() => process.exit(), childGraceMs).unref();
  }
}

/** Code is imported from the cache, so nobody else may write there: `~/.cache/lockstep`, or a fresh folder where that cannot be. */
function privateCache(): string {
  const folder = join(homedir(), ".cache", "lockstep");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    const isMine = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
    if (isMine) return folder;
  } catch {
    // A home that cannot be written is no reason not to train.
  }
  return mkdtempSync(join(tmpdir(), "lockstep-cache-"));
}

/** @throws {UsageError} when `--listen` is neither "none" nor HOST:PORT. */
export function assertListen(listen: string | undefined): void {
  if (listen === undefined || listen === "none") return;
  const [, port] = /^(?:\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(listen) ?? [];
  if (port !== undefined && Number(port) <= 65_535) return;
  throw new UsageError(
    `worker: --listen is "${listen}"; it must be HOST:PORT (port 0 for any free one), or "none". Leave it out to listen where the coordinator was reached.`,
    { listen },
    "E_USAGE_LISTEN",
  );
}

async function findToken(flags: WorkerFlags): Promise<string> {
  const token = readToken(flags, process.env, (line) => process.stderr.write(`${line}\n`));
  if (token !== undefined) return token;
  if (process.stdin.isTTY === true) return promptToken();
  throw new UsageError(
    "worker: there is no token; a coordinator takes nobody without one. Pass --token-file, or set LOCKSTEP_TOKEN.",
    {},
    "E_USAGE_TOKEN",
  );
}

function receiveToken(controller: AbortController): Promise<string> {
  if (!process.connected)
    throw new UsageError(
      "worker: --token-from-parent is for children of `lockstep run`; use --token-file.",
      {},
      "E_USAGE_TOKEN",
    );
  return new Promise((resolve, reject) => {
    process.once("disconnect", () => {
      controller.abort();
      reject(
        new UsageError("worker: the parent is gone; it must give the token. Start the run again.", {}, "E_USAGE_TOKEN"),
      );
    });
    process.on("message", (message: { type?: string; token?: string }) => {
      if (message.type === "token" && message.token !== undefined) resolve(message.token);
      if (message.type === "stop") controller.abort();
    });
  });
}

/** A child of `run` leaves Ctrl-C to its parent, which the terminal interrupts as well. */
function listenForStop(flags: WorkerFlags, controller: AbortController): () => void {
  const abort = () => controller.abort();
  if (flags.tokenFromParent === true) return onInterrupt({ first: () => {}, second: () => {} });
  return onInterrupt({ first: abort, second: () => process.exit(exitStatus.interrupted) });
}
