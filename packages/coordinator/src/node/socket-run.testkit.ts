/** @file A coordinator on loopback and workers made of a bare socket and the codec, for tests of the shell. */
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CoordinatorMessage,
  controlCodec,
  controlPath,
  type MessageBody,
  PROTOCOL_VERSION,
  type WorkerMessage,
} from "@lockstep/protocol";
import { WebSocket, WebSocketServer } from "ws";
import { type Coordinator, type CoordinatorOptions, createCoordinator } from "./create-coordinator.js";
import type { ServerSocketConstructors } from "./server-sockets.js";

export const token = "correct horse";
const hash = "a".repeat(32);

export function sha256Of(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Real time; every test awaits events, never a delay. */
export const realClock = {
  nowMs: () => performance.now(),
  schedule: (delayMs: number, callback: () => void) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export function newRunDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "lockstep-coordinator-"));
  writeFileSync(join(dir, "job.mjs"), "export default 1;\n");
  return dir;
}

export function startCoordinator(runDir: string, change: Partial<CoordinatorOptions> = {}): Promise<Coordinator> {
  return createCoordinator({
    runDir,
    job: {
      name: "job",
      config: { globalBatchSize: 8 },
      seed: 7,
      numMicroBatches: 4,
      jobSha256: sha256Of("export default 1;\n"),
      files: [],
    },
    stopAtStep: 2,
    host: "127.0.0.1",
    port: 0,
    token,
    minWorkers: 2,
    maxWorkers: 2,
    joinTimeoutMs: 20_000,
    versions: { lockstep: "0.1.0", numerics: 1 },
    sockets: { WebSocketServer: WebSocketServer as unknown as ServerSocketConstructors["WebSocketServer"] },
    clock: realClock,
    wallClock: () => new Date(0),
    ...change,
  });
}

/** One worker's socket; `next(name)` resolves with the next message of that name, kept until asked for. */
export class BareWorker {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly #waiting: { readonly name: string; readonly resolve: (body: unknown) => void }[] = [];
  readonly #kept: CoordinatorMessage[] = [];

  constructor(
    url: string,
    givenToken: string | null = token,
    path: string = controlPath,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.socket = new WebSocket(`${url}${path}`, {
      headers: { ...headers, ...(givenToken === null ? {} : { authorization: `Bearer ${givenToken}` }) },
    });
    this.socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      this.socket.on("close", resolve);
    });
    this.socket.on("message", (data: Buffer) => {
      if (path === controlPath) this.#receive(controlCodec.decodeControl(data, "coordinator") as CoordinatorMessage);
    });
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once("open", resolve);
      this.socket.once("unexpected-response", (_, response) => reject(new Error(`status ${response.statusCode}`)));
      this.socket.once("error", reject);
    });
  }

  send(message: WorkerMessage): void {
    this.socket.send(controlCodec.encodeControl(message.name, message.body as never));
  }

  async next<Name extends CoordinatorMessage["name"]>(name: Name): Promise<MessageBody<Name>> {
    const at = this.#kept.findIndex((message) => message.name === name);
    if (at >= 0) return this.#kept.splice(at, 1)[0]!.body as MessageBody<Name>;
    const body = await new Promise<unknown>((resolve) => {
      this.#waiting.push({ name, resolve });
    });
    return body as MessageBody<Name>;
  }

  #receive(message: CoordinatorMessage): void {
    const at = this.#waiting.findIndex(({ name }) => name === message.name);
    if (at >= 0) this.#waiting.splice(at, 1)[0]!.resolve(message.body);
    else this.#kept.push(message);
  }

  hello(workerId: string, change: Partial<MessageBody<"hello">> = {}): void {
    const body = {
      protocolVersion: PROTOCOL_VERSION,
      numericsVersion: 1,
      lockstepVersion: "0.1.0",
      workerId,
      name: workerId,
      numericClasses: ["strict"],
      threads: 1,
      listenUrls: [],
      canDial: true,
      platform: "test",
      held: null,
    };
    this.send({ name: "hello", body: { ...body, ...change } });
  }

  /** From the open socket to the first assignment; every link is by relay. */
  async begin(workerId: string): Promise<{ readonly rank: number; readonly ticket: string }> {
    await this.opened();
    this.hello(workerId);
    const welcome = await this.next("welcome");
    this.send({
      name: "ready",
      body: {
        numericClass: "strict",
        layout: { hash, gradientFloats: 4, numTensors: 1 },
        probe: { hash, tensors: [{ name: "w", hash }] },
        state: { step: welcome.resume?.step ?? 0, stateHash: hash },
        grid: { numMicroBatches: 4, numEvalMicroBatches: 0, samplesPerStep: 8 },
        prepareMs: 1,
      },
    });
    const { generation, members } = await this.next("startGeneration");
    const { rank, ticket } = members.find((member) => member.workerId === workerId)!;
    const links = members.flatMap((other) =>
      other.rank === rank ? [] : [{ rank: other.rank, isDirect: false, reason: "no listener" }],
    );
    this.send({ name: "linkReport", body: { generation, links } });
    await this.next("assign");
    return { rank, ticket };
  }

  report(step: number, rank: number, change: Partial<MessageBody<"stepReport">> = {}): void {
    this.send({
      name: "stepReport",
      body: {
        step,
        generation: 1,
        attempt: 0,
        gradientHash: hash,
        previous: { stateHash: hash, gradNorm: 1, learningRate: 0.1 },
        losses: [
          [2 * rank, 2, 2],
          [2 * rank + 1, 4, 2],
        ],
        numTokens: 8,
        computeMs: 2,
        commMs: 1,
        bytesSent: 16,
        nodeSquares: [],
        ...change,
      },
    });
  }

  applied(step: number): void {
    this.send({ name: "applied", body: { step, generation: 1, stateHash: hash, gradNorm: 1, learningRate: 0.1 } });
  }

  /** Streams a checkpoint of one small file. */
  async saveCheckpoint(step: number, text = `model of step ${step}`): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    const sha256 = sha256Of(bytes);
    this.send({ name: "blobPut", body: { sha256, offset: 0, byteLength: bytes.byteLength, bytes } });
    await this.next("blobAck");
    const files = [{ name: "model.safetensors", sha256, byteLength: bytes.byteLength }];
    this.send({
      name: "checkpointDone",
      body: { step, generation: 1, stateHash: hash, files, paramsSha256: sha256 },
    });
  }

  async end(): Promise<MessageBody<"stop">> {
    const stop = await this.next("stop");
    this.send({ name: "goodbye", body: { reason: "stop" } });
    this.socket.close();
    return stop;
  }
}
