/**
 * @file One worker's control socket, the coordinator's end: hello within its deadline, decoded messages, blobs, heartbeats.
 *
 * A message that breaks the protocol closes the socket. Not here: what a message means, and what silence does (decide).
 */
import {
  type CoordinatorMessage,
  controlCodec,
  type MessageBody,
  ProtocolError,
  type WorkerMessage,
} from "@lockstep/protocol";
import type { BlobStore } from "./blob-store.js";
import { CoordinatorError } from "./coordinator-error.js";
import type { Clock, ServerSocket } from "./server-sockets.js";
import type { TransferRate } from "./transfer-rate.js";

const openState = 1;
const frameOptions = { binary: true, fin: true, compress: false };
/** Blob requests of one worker that may wait. */
const maxBlobRequests = 64;
const closeGraceMs = 1_000;

export interface WorkerSocketOptions {
  readonly socket: ServerSocket;
  readonly address: string;
  readonly blobs: BlobStore;
  /** How fast blobs may go in and out. */
  readonly rate: TransferRate;
  readonly clock: Clock;
  readonly helloTimeoutMs: number;
  /** @returns why this worker may not come in, or undefined. */
  readonly onHello: (peer: WorkerSocket, hello: MessageBody<"hello">) => string | undefined;
  readonly onMessage: (workerId: string, message: WorkerMessage) => void;
  /** Something came that is answered here: a heartbeat, or about a blob. */
  readonly onHeard: (workerId: string) => void;
  /** It broke the protocol; its socket is about to close. */
  readonly onViolation: (workerId: string, what: string) => void;
  /** Once, after its hello. */
  readonly onClose: (workerId: string, reason: string) => void;
  /** Of a socket that never said hello. */
  readonly onStranger: (address: string, why: string) => void;
}

export class WorkerSocket {
  readonly #options: WorkerSocketOptions;
  #workerId: string | undefined;
  #isClosed = false;
  #cancelDeadline: () => void;
  #blobQueue: Promise<void> = Promise.resolve();
  #numBlobRequests = 0;

  constructor(options: WorkerSocketOptions) {
    this.#options = options;
    const { socket, clock, helloTimeoutMs } = options;
    socket.binaryType = "nodebuffer";
    this.#cancelDeadline = clock.schedule(helloTimeoutMs, () =>
      this.#drop(`it said no hello within ${helloTimeoutMs} ms (helloTimeoutMs)`),
    );
    socket.on("message", (data: Uint8Array, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("close", (code: number, reason: Uint8Array) => {
      const text = new TextDecoder().decode(reason);
      this.#end(`its connection closed (${code}${text === "" ? "" : ` ${text}`})`);
    });
    socket.on("error", (error: Error) => this.#drop(`its connection broke: ${error.message}`));
  }

  /** Undefined before its hello. */
  get workerId(): string | undefined {
    return this.#workerId;
  }

  send(message: CoordinatorMessage): void {
    if (this.#options.socket.readyState !== openState) return;
    const frame = controlCodec.encodeControl(message.name, message.body as never);
    this.#options.socket.send(frame, frameOptions, () => {});
  }

  /** A newer connection of the same worker took its place: this one is told, and is nobody from now on. */
  replace(): void {
    const message = "join: a newer connection of the same worker took the place of this one.";
    this.send({ name: "refused", body: { code: "E_REPLACED", message } });
    this.close("replaced");
    this.#isClosed = true;
    void this.#options.blobs.leave(this).catch(() => {});
  }

  /** Closes after what was sent, and cuts the line if the worker does not answer. */
  close(reason: string): void {
    this.#options.socket.close(1000, reason.slice(0, 100));
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.clock.schedule(closeGraceMs, () => this.#options.socket.terminate());
  }

  terminate(): void {
    this.#options.socket.terminate();
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    if (this.#isClosed) return;
    try {
      if (!isBinary)
        throw new ProtocolError("E_FRAME_MAGIC", "protocol: a text frame came; control messages are binary.");
      this.#dispatch(controlCodec.decodeControl(data, "worker") as WorkerMessage);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (this.#workerId === undefined) {
        this.send({ name: "refused", body: { code: error.code, message: error.message.slice(0, 4_000) } });
        this.#drop(error.message, 4_008);
        return;
      }
      // A network can change a byte: the worker may come back, a few times.
      this.#options.onViolation(this.#workerId, error.message);
      this.#drop(error.message, 4_008);
    }
  }

  #dispatch(message: WorkerMessage): void {
    if (this.#workerId === undefined) {
      this.#receiveHello(message);
      return;
    }
    switch (message.name) {
      case "hello":
        throw new ProtocolError("E_MESSAGE_DIRECTION", "protocol: a second hello came; one is legal.");
      case "heartbeat":
        this.#options.onHeard(this.#workerId);
        this.send({ name: "pong", body: { sequence: message.body.sequence } });
        return;
      case "blobGet":
        this.#options.onHeard(this.#workerId);
        this.#serveBlob(message.body.sha256, async () => {
          const body = await this.#options.blobs.read(message.body);
          await this.#options.rate.take(body.bytes.byteLength);
          return { name: "blobChunk", body };
        });
        return;
      case "blobPut":
        this.#options.onHeard(this.#workerId);
        // The answer asks for more: it waits until there is room for what it answers.
        this.#serveBlob(message.body.sha256, async () => {
          const body = await this.#options.blobs.put(message.body, this);
          await this.#options.rate.take(message.body.bytes.byteLength);
          return { name: "blobAck", body };
        });
        return;
      default:
        this.#options.onMessage(this.#workerId, message);
    }
  }

  #receiveHello(message: WorkerMessage): void {
    if (message.name !== "hello") {
      this.#drop(`its first message was "${message.name}"; it must be hello`, 4_008);
      return;
    }
    this.#workerId = message.body.workerId;
    this.#cancelDeadline();
    const objection = this.#options.onHello(this, message.body);
    if (objection === undefined) return;
    this.#workerId = undefined;
    this.send({ name: "refused", body: { code: "E_WORKER_ID", message: objection } });
    this.#drop(objection, 4_003);
  }

  /** One after the other, answers in the order of the requests. */
  #serveBlob(sha256: string, serve: () => Promise<CoordinatorMessage>): void {
    if (++this.#numBlobRequests > maxBlobRequests) {
      this.#drop(`it asked for more than ${maxBlobRequests} blob chunks at once`, 4_008);
      return;
    }
    this.#blobQueue = this.#blobQueue.then(async () => {
      try {
        this.send(await serve());
      } catch (error) {
        const code = error instanceof CoordinatorError ? error.code : "E_BLOB_DISK";
        const text = error instanceof Error ? error.message : String(error);
        this.send({ name: "blobError", body: { sha256, code, message: text.slice(0, 4_000) } });
      } finally {
        this.#numBlobRequests--;
      }
    });
  }

  #drop(reason: string, code?: number): void {
    const { socket } = this.#options;
    if (code === undefined) socket.terminate();
    else socket.close(code, reason.slice(0, 100));
    this.#end(reason);
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelDeadline();
    // A file that cannot be removed now goes with the folder at the end.
    void this.#options.blobs.leave(this).catch(() => {});
    if (this.#workerId === undefined) this.#options.onStranger(this.#options.address, reason);
    else this.#options.onClose(this.#workerId, reason);
  }
}
