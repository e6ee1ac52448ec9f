/** @file What a session receives: everything that touches a socket, a disk, a clock or a tensor. */
import type { Clock, ProcessGroup, VectorOps, VectorPool } from "@lockstep/collectives";
import type { BlobRef, CoordinatorMessage, Link, MessageBody, WorkerMessage } from "@lockstep/protocol";
import type { ComputeEngine } from "../engine/compute-engine.js";
import type { Held } from "./worker-state.js";

/** The control channel after its hello was sent. */
export interface ControlPort {
  send(message: WorkerMessage): void;
  /** One listener; messages that come before it is set wait. */
  onMessage(listener: (message: CoordinatorMessage) => void): void;
  /** Settles once, when the channel is gone, with the reason in words. */
  readonly closed: Promise<{ readonly reason: string }>;
  /** Stores bytes with the coordinator. */
  putBlob(bytes: Uint8Array, sha256: string): Promise<void>;
  /** Bytes that the coordinator keeps; their sha256 was checked. */
  fetchBlob(ref: BlobRef): Promise<Uint8Array>;
  /** Sends what waits, then closes. */
  close(): Promise<void>;
}

/** Links to the other members, and the group they make. */
export interface PeerPort {
  /** Dials the members of a generation. Never rejects: what cannot be dialled is a link with a reason. */
  link(start: MessageBody<"startGeneration">, rank: number): Promise<readonly Link[]>;
  /** Opens the relayed pairs and enters the generation. */
  route(routes: MessageBody<"routes">): Promise<ProcessGroup>;
  dispose(): Promise<void>;
}

/** What an exchange needs beside the group. */
export interface ExchangeTools {
  readonly ops: VectorOps;
  readonly pool?: VectorPool;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface SessionTimeouts {
  /** First step of a generation: kernels are compiled, memory grows. Default 600 s. */
  readonly firstStepMs: number;
  /** Least deadline of later steps; more when the last steps took long. Default 15 s. */
  readonly minStepMs: number;
  /** How long the coordinator has to name the cause of a lost peer. Default 250 ms. */
  readonly peerGraceMs: number;
  /** How long a lost coordinator is looked for. Default: what its welcome said. */
  readonly reconnectMs: number | undefined;
  /** How long a failed worker waits for the coordinator's word. Default 30 s. */
  readonly farewellMs: number;
}

export const defaultSessionTimeouts: SessionTimeouts = {
  firstStepMs: 600_000,
  minStepMs: 15_000,
  peerGraceMs: 250,
  reconnectMs: undefined,
  farewellMs: 30_000,
};

export interface SessionPorts {
  readonly control: ControlPort;
  /** Dials the coordinator again and says hello with what is held. Rejects when nobody answers. */
  readonly reconnect: (held: Held) => Promise<ControlPort>;
  readonly peers: PeerPort;
  /** Fetches what the welcome names and builds the engine, which is not prepared yet. */
  readonly createEngine: (welcome: MessageBody<"welcome">) => Promise<ComputeEngine>;
  readonly createExchangeTools: (engine: ComputeEngine) => ExchangeTools;
  readonly sha256: (parts: readonly Uint8Array[]) => string;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborting leaves the run: the coordinator is told. */
  readonly signal?: AbortSignal;
  readonly timeouts?: Partial<SessionTimeouts>;
}
