/** @file A worker process's part in a run: sockets, disk, compute thread and clock, put together for session/run-worker.ts. */
import { randomBytes } from "node:crypto";
import { arch, availableParallelism, hostname, platform, release } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Clock } from "@lockstep/collectives";
import { type SocketConstructors, WebSocketTransport } from "@lockstep/collectives/node";
import { numericsVersion } from "@lockstep/core";
import { type MessageBody, PROTOCOL_VERSION } from "@lockstep/protocol";
import { BlobParts } from "../control/blob-transfers.js";
import { errorReport } from "../errors.js";
import { runWorker, type SessionResult } from "../session/run-worker.js";
import type { Log, SessionTimeouts } from "../session/session-ports.js";
import type { Held } from "../session/worker-state.js";
import { BlobCache } from "./blob-cache.js";
import { connectControl, type NodeControlPort } from "./connect-control.js";
import { type DeviceSpec, sha256 } from "./engine-spec.js";
import { fetchEngineSpec } from "./fetch-engine-spec.js";
import { createNodeExchangeTools } from "./node-exchange-tools.js";
import { NodePeerLinks } from "./node-peer-links.js";
import { availableNumericClasses } from "./numeric-classes.js";
import { ThreadEngine } from "./thread-engine.js";

export interface NodeWorkerOptions {
  /** `ws://host:port` of the coordinator. */
  readonly url: string;
  readonly token: string;
  /** `{ WebSocket, WebSocketServer }` of `ws`. */
  readonly sockets: SocketConstructors;
  readonly lockstepVersion: string;
  /** Address of a room of this installation. */
  readonly resolveRoom: (specifier: string) => string;
  /** Folder for blobs that are kept, and for the job's module. */
  readonly cacheDir: string;
  /** How people call this worker. Default: the host's name. */
  readonly name?: string;
  /** "host:port" to listen on, "none" not to; default a free port of the address by which the coordinator was reached. */
  readonly listen?: string;
  /** The only class to offer; default every one that this machine can compute in. */
  readonly numeric?: "strict" | "fused";
  /** Threads that compute. Default: what the coordinator says, else all cores. */
  readonly threads?: number;
  /** Computes the gradients instead of the CPU, in a class of its own. */
  readonly device?: DeviceSpec & { readonly numericClass: `webgpu:${string}` };
  readonly log: Log;
  /** Aborting leaves the run: the coordinator is told. */
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<SessionTimeouts>;
}

/**
 * Joins a run and works until it ends. Resolves also when the run fails or refuses this worker; every socket and thread is closed then.
 */
export async function runNodeWorker(options: NodeWorkerOptions): Promise<SessionResult> {
  let lostAtMs: number | undefined;
  for (;;) {
    const result = await runOnce(options);
    const now = performance.now();
    const isEarly = result.code === "E_DISCONNECTED_EARLY";
    if (isEarly) lostAtMs = now;
    // A coordinator that was lost before this worker had a state to keep may be back in a moment.
    const limitMs = options.timeouts?.reconnectMs ?? defaultReconnectMs;
    const isWorthTrying = isEarly || (result.code === "E_CONNECT" && lostAtMs !== undefined);
    if (!isWorthTrying || options.signal?.aborted === true || now - lostAtMs! > limitMs) return result;
    options.log("info", `${result.reason}; this worker joins anew`);
    await new Promise((resolve) => setTimeout(resolve, earlyPauseMs));
  }
}

async function runOnce(options: NodeWorkerOptions): Promise<SessionResult> {
  const workerId = `w-${randomBytes(4).toString("hex")}`;
  const clock = nodeClock();
  const transport = new WebSocketTransport({
    workerId,
    sockets: options.sockets,
    clock,
    onRefused: (reason) => options.log("debug", `a dial was refused: ${reason}`),
  });
  try {
    const listener = new PeerAddresses(options, transport);
    const parts = new BlobParts();
    const connect = (held: Held | null): Promise<NodeControlPort> =>
      connectControl(options, {
        clock,
        parts,
        createHello: async (localAddress) =>
          createHello(options, { workerId, held, listenUrls: await listener.urls(localAddress) }),
      });
    let control = await connect(null);
    const cache = new BlobCache({ dir: join(options.cacheDir, "blobs") });
    return await runWorker({
      control,
      reconnect: async (held) => {
        control = await connect(held);
        return control;
      },
      peers: new NodePeerLinks({
        transport,
        openRelay: (ticket) => control.openRelay(ticket),
        clock,
        log: options.log,
      }),
      createEngine: async (welcome) =>
        new ThreadEngine({ spec: await fetchEngineSpec(welcome, { ...options, workerId, cache, control }) }),
      createExchangeTools: createNodeExchangeTools,
      sha256,
      clock,
      log: options.log,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.timeouts === undefined ? {} : { timeouts: options.timeouts }),
    });
  } catch (error) {
    await transport.dispose();
    const { code, message } = errorReport(error);
    return { status: "disconnected", code, reason: message, step: 0 };
  }
}

const defaultReconnectMs = 60_000;
const earlyPauseMs = 500;

/** Where peers may dial this worker: one listener for its life. */
class PeerAddresses {
  readonly #options: NodeWorkerOptions;
  readonly #transport: WebSocketTransport;
  #bound: Promise<{ host: string; port: number }> | undefined;

  constructor(options: NodeWorkerOptions, transport: WebSocketTransport) {
    this.#options = options;
    this.#transport = transport;
  }

  /** @param localAddress by which the coordinator was reached. */
  async urls(localAddress: string): Promise<string[]> {
    if (this.#options.listen === "none") return [];
    this.#bound ??= this.#transport.bind(parseListen(this.#options.listen, localAddress));
    const bound = await this.#bound;
    const isEverywhere = bound.host === "0.0.0.0" || bound.host === "::";
    const reachable = isEverywhere ? localAddress.replace(/^::ffff:/, "") : bound.host;
    const address = reachable.includes(":") ? `[${reachable}]` : reachable;
    return [`ws://${address}:${bound.port}`];
  }
}

function createHello(
  options: NodeWorkerOptions,
  own: { readonly workerId: string; readonly held: Held | null; readonly listenUrls: string[] },
): MessageBody<"hello"> {
  return {
    protocolVersion: PROTOCOL_VERSION,
    numericsVersion,
    lockstepVersion: options.lockstepVersion,
    workerId: own.workerId,
    name: options.name ?? hostname(),
    numericClasses: [
      ...availableNumericClasses().filter((name) => options.numeric === undefined || name === options.numeric),
      ...(options.device === undefined ? [] : [options.device.numericClass]),
    ],
    threads: options.threads ?? availableParallelism(),
    listenUrls: own.listenUrls,
    held: own.held,
    canDial: true,
    platform: `${platform()} ${release()} ${arch()} node ${process.versions.node}`,
  };
}

/** Host and port of `--listen`; without it a free port of the address by which the coordinator was reached. */
function parseListen(listen: string | undefined, localAddress: string): { host: string; port: number } {
  if (listen === undefined) return { host: localAddress.replace(/^::ffff:/, ""), port: 0 };
  const at = listen.lastIndexOf(":");
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(listen.slice(at + 1)) };
}

function nodeClock(): Clock {
  return {
    nowMs: () => performance.now(),
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}
