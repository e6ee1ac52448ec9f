/**
 * @file The worker's end of the control channel: one socket to the coordinator, authenticated by a header, typed messages both
 * ways, blobs, heartbeats, and an end that is always told.
 *
 * Not here: what the worker does with a message (session/decide-worker.ts). A message that breaks the protocol closes the channel.
 */
import type { Clock } from "@lockstep/collectives";
import {
  type BlobRef,
  type CoordinatorMessage,
  controlCodec,
  controlPath,
  type FrameChannel,
  maxBlobChunkBytes,
  protocolLimits,
  relayPath,
  ticketHeader,
  type WorkerMessage,
} from "@lockstep/protocol";
import { type BlobParts, BlobTransfers } from "./blob-transfers.js";
import { ControlError } from "./control-error.js";
import type { ControlSocket, ControlSocketConstructor } from "./control-socket.js";

export interface ControlClientOptions<Socket extends ControlSocket> {
  /** ws://HOST:PORT of the coordinator. */
  readonly url: string;
  readonly token: string | undefined;
  readonly WebSocket: ControlSocketConstructor<Socket>;
  /** Makes the relay's frame channel of an open socket. */
  readonly frameChannelOf: (socket: Socket) => FrameChannel;
  readonly sha256: (bytes: Uint8Array) => string;
  readonly clock: Clock;
  /** Of blobs that an earlier channel of this worker did not get whole. */
  readonly parts?: BlobParts;
  /** For the TCP connection and the upgrade. Default 10 s. */
  readonly connectTimeoutMs?: number;
}

/** Most bytes of a control frame: a welcome with many files, or a blob chunk. */
const maxControlPayload = 16_777_216;
const closeGraceMs = 1_000;
/** Until the welcome names the run's own. */
const defaultHeartbeat = { intervalMs: 200, timeoutMs: 10_000 };

/** A control channel, not yet open. */
export function createControlClient<Socket extends ControlSocket>(
  options: ControlClientOptions<Socket>,
): ControlClient<Socket> {
  return new ControlClient(options);
}

export class ControlClient<Socket extends ControlSocket> {
  /** Settles once, when the channel is gone, with the reason in words. */
  readonly closed: Promise<{ readonly reason: string }>;
  readonly #options: ControlClientOptions<Socket>;
  readonly #blobs: BlobTransfers;
  readonly #early: CoordinatorMessage[] = [];
  #resolveClosed: (end: { readonly reason: string }) => void = () => {};
  #listener: ((message: CoordinatorMessage) => void) | undefined;
  #socket: Socket | undefined;
  #isOpen = false;
  #sequence = 0;
  #cancelHeartbeat: () => void = () => {};
  #cancelSilence: () => void = () => {};
  #heartbeat: { readonly intervalMs: number; readonly timeoutMs: number } | undefined;

  constructor(options: ControlClientOptions<Socket>) {
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#blobs = new BlobTransfers({
      send: (message) => this.send(message),
      sha256: options.sha256,
      chunkBytes: maxBlobChunkBytes,
      ...(options.parts === undefined ? {} : { parts: options.parts }),
    });
  }

  /**
   * Connects and authenticates. The local address is the one by which the coordinator was reached.
   *
   * @throws {ControlError} E_UNAUTHORIZED for a wrong token, E_CONNECT when nobody answers.
   */
  async open(): Promise<{ readonly localAddress: string }> {
    const { socket, localAddress } = await this.#connect(controlPath, {}, maxControlPayload);
    this.#socket = socket;
    this.#isOpen = true;
    socket.on("message", (data: Uint8Array, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("close", (code: number, reason: Uint8Array) =>
      this.#end(`the coordinator closed the control channel (${code}${textOf(reason)})`),
    );
    socket.on("error", (error: Error) => this.#end(`the control channel broke: ${error.message}`));
    return { localAddress };
  }

  /** Says nothing on a closed channel: `closed` has told. */
  send(message: WorkerMessage): void {
    if (!this.#isOpen) return;
    const frame = controlCodec.encodeControl(message.name, message.body as never);
    // An error shows as "error" and "close" of the socket.
    this.#socket!.send(frame, { binary: true, fin: true, compress: false }, () => {});
    // From the first word on, so that a spare, which is never welcomed, is heard and hears.
    if (message.name === "hello") this.#startHeartbeat(defaultHeartbeat.intervalMs, defaultHeartbeat.timeoutMs);
  }

  /** One listener; messages that came before it wait. */
  onMessage(listener: (message: CoordinatorMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  fetchBlob(ref: BlobRef): Promise<Uint8Array> {
    return this.#isOpen ? this.#blobs.fetch(ref) : Promise.reject(this.#closedError());
  }

  putBlob(bytes: Uint8Array, sha256: string): Promise<void> {
    return this.#isOpen ? this.#blobs.put(bytes, sha256) : Promise.reject(this.#closedError());
  }

  /** A second socket, for frames that the coordinator forwards. @throws {ControlError} as `open`. */
  async openRelay(ticket: string): Promise<FrameChannel> {
    const { socket } = await this.#connect(relayPath, { [ticketHeader]: ticket }, protocolLimits.maxFrameBytes + 64);
    return this.#options.frameChannelOf(socket);
  }

  /** Sends what waits, then closes. */
  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) {
      this.#end("closed here");
      return;
    }
    const cancel = this.#options.clock.schedule(closeGraceMs, () => socket.terminate());
    socket.close(1000, "done");
    await this.closed;
    cancel();
  }

  #connect(path: string, headers: Readonly<Record<string, string>>, maxPayload: number) {
    const { url, token, WebSocket, connectTimeoutMs = 10_000 } = this.#options;
    const target = new URL(path, url).href;
    const socket = new WebSocket(target, {
      perMessageDeflate: false,
      maxPayload,
      handshakeTimeout: connectTimeoutMs,
      headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
    });
    socket.binaryType = "nodebuffer";
    return new Promise<{ readonly socket: Socket; readonly localAddress: string }>((resolve, reject) => {
      let localAddress = "";
      socket.on("upgrade", (response: { readonly socket: { readonly localAddress?: string } }) => {
        localAddress = response.socket.localAddress ?? "";
      });
      socket.on("unexpected-response", (_: unknown, response: { readonly statusCode?: number }) => {
        reject(refusal(target, response.statusCode));
        socket.terminate();
      });
      socket.on("error", (cause: Error) => {
        const text = `control: nobody answers at ${target} (${cause.message}); a coordinator must listen there. Check the URL and that it is running.`;
        reject(new ControlError("E_CONNECT", text, { url: target }, { cause }));
      });
      socket.on("open", () => resolve({ socket, localAddress }));
    });
  }

  #receive(data: Uint8Array, isBinary: boolean): void {
    if (!this.#isOpen) return;
    this.#awaitSilence();
    let message: CoordinatorMessage;
    try {
      if (!isBinary) throw new Error("a text frame came; control messages are binary");
      message = controlCodec.decodeControl(data, "coordinator") as CoordinatorMessage;
    } catch (error) {
      this.#socket!.close(4008, "protocol");
      this.#end(`the coordinator broke the protocol: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (message.name === "pong" || this.#blobs.receive(message)) return;
    if (message.name === "welcome") {
      this.#startHeartbeat(message.body.heartbeatIntervalMs, message.body.heartbeatTimeoutMs);
    }
    if (this.#listener === undefined) this.#early.push(message);
    else this.#listener(message);
  }

  #startHeartbeat(intervalMs: number, timeoutMs: number): void {
    this.#cancelHeartbeat();
    this.#heartbeat = { intervalMs, timeoutMs };
    this.#awaitSilence();
    const beat = () => {
      if (!this.#isOpen) return;
      this.send({ name: "heartbeat", body: { sequence: this.#sequence++ } });
      this.#cancelHeartbeat = this.#options.clock.schedule(intervalMs, beat);
    };
    beat();
  }

  /** Every message of the coordinator, pong included, moves the deadline. */
  #awaitSilence(): void {
    if (this.#heartbeat === undefined) return;
    const { timeoutMs } = this.#heartbeat;
    this.#cancelSilence();
    this.#cancelSilence = this.#options.clock.schedule(timeoutMs, () => {
      this.#socket?.terminate();
      this.#end(`the coordinator said nothing for ${timeoutMs} ms (heartbeatTimeoutMs)`);
    });
  }

  #end(reason: string): void {
    this.#isOpen = false;
    this.#cancelHeartbeat();
    this.#cancelSilence();
    this.#blobs.fail(new ControlError("E_CONTROL_CLOSED", `control: ${reason}.`, { reason }));
    this.#resolveClosed({ reason });
  }

  #closedError(): ControlError {
    return new ControlError("E_CONTROL_CLOSED", "control: the channel is not open; open() must come first.", {});
  }
}

function refusal(url: string, statusCode: number | undefined): ControlError {
  if (statusCode === 401) {
    const text = `control: the coordinator at ${url} refuses the token; it must be the one that the coordinator printed. Check --token-file or LOCKSTEP_TOKEN.`;
    return new ControlError("E_UNAUTHORIZED", text, { url, statusCode });
  }
  const text = `control: ${url} answered ${statusCode}; a Lockstep coordinator must answer 101. Check the URL.`;
  return new ControlError("E_CONNECT", text, { url, statusCode });
}

function textOf(reason: Uint8Array): string {
  const text = new TextDecoder().decode(reason);
  return text === "" ? "" : `: ${text}`;
}
