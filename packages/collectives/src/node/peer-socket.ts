/**
 * @file The dialling side of a data link: a WebSocket client that only receives, made for speed.
 *
 * `ws` allocates 64 KiB for every read and joins a message in memory of its own before anyone sees it; that costs more
 * than the network on loopback (benchmarks/reports/all-reduce.md). Here the kernel writes into one static buffer, and a
 * payload goes from there to its final place, at once. The handshake is RFC 6455, section 4.1; what is sent is only pongs.
 */
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { CollectiveError } from "../errors.js";
import type { MessageReader } from "./message-reader.js";

const READ_BYTES = 524_288;
const MAX_RESPONSE_BYTES = 8_192;
const MAX_HELD_BYTES = READ_BYTES;
const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const OPCODE_PONG_FINAL = 0x8a;

export interface PeerSocketOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly reader: MessageReader;
  /** Called once. */
  readonly onClose: (reason: string) => void;
}

export class PeerSocket {
  private readonly options: PeerSocketOptions;
  private readonly socket: Socket;
  private readonly key = randomBytes(16).toString("base64");
  private readonly buffer = Buffer.alloc(READ_BYTES + 8);
  private current = this.buffer;
  private response = Buffer.alloc(0);
  private isUpgraded = false;
  private isPaused = false;
  private isClosed = false;
  /** What a pause left unread of the last chunk. */
  private held = Buffer.alloc(0);

  constructor(options: PeerSocketOptions) {
    this.options = options;
    const { url } = options;
    const onread = { buffer: () => this.nextBuffer(), callback: (numBytes: number) => this.receive(numBytes) };
    const host = url.hostname.replace(/^\[|\]$/g, "");
    this.socket = connect({ host, port: Number(url.port), noDelay: true, onread });
    this.socket.on("connect", () => this.socket.write(this.request()));
    this.socket.on("error", (error) => this.end(error.message));
    this.socket.on("close", () => this.end("the connection closed"));
    this.socket.on("end", () => this.end("the connection ended"));
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    const held = this.held;
    this.held = Buffer.alloc(0);
    if (held.length > 0) this.read(held);
    if (!this.isPaused) this.socket.resume();
  }

  /** Closes at once; `onClose` is not called for it. */
  terminate(): void {
    this.isClosed = true;
    this.socket.destroy();
  }

  pong(payload: Uint8Array): void {
    const mask = randomBytes(4);
    const masked = payload.map((byte, i) => byte ^ mask[i & 3]!);
    this.socket.write(Buffer.concat([Buffer.of(OPCODE_PONG_FINAL, 0x80 | payload.length), mask, masked]));
  }

  private request(): string {
    const { url, headers } = this.options;
    const lines = [
      `GET ${url.pathname} HTTP/1.1`,
      `Host: ${url.host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${this.key}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    if (lines.some((line) => /[\r\n]/.test(line))) {
      throw new CollectiveError("E_ARGUMENT", "dial: a header has a line break; it must have none.", {});
    }
    return `${lines.join("\r\n")}\r\n\r\n`;
  }

  private nextBuffer(): Uint8Array {
    const { offset, numBytes } = this.options.reader.nextRead(READ_BYTES);
    this.current = this.buffer.subarray(offset, offset + numBytes);
    return this.current;
  }

  private receive(numBytes: number): boolean {
    if (this.isClosed) return false;
    const chunk = this.current.subarray(0, numBytes);
    if (this.isUpgraded) this.read(chunk);
    else this.readResponse(chunk);
    return !this.isPaused;
  }

  private readResponse(chunk: Buffer): void {
    this.response = Buffer.concat([this.response, chunk]);
    const end = this.response.indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.response.length > MAX_RESPONSE_BYTES) this.end(`its response has more than ${MAX_RESPONSE_BYTES} bytes`);
      return;
    }
    const [status = "", ...lines] = this.response.subarray(0, end).toString("latin1").split("\r\n");
    const accept = lines
      .find((line) => /^sec-websocket-accept:/i.test(line))
      ?.split(":", 2)[1]
      ?.trim();
    const expected = createHash("sha1")
      .update(this.key + ACCEPT_GUID)
      .digest("base64");
    if (!/^HTTP\/1\.1 101 /.test(status) || accept !== expected) {
      this.end(`its answer is "${status.slice(0, 80)}"; it must be 101 with the right Sec-WebSocket-Accept`);
      return;
    }
    this.isUpgraded = true;
    const rest = this.response.subarray(end + 4);
    this.response = Buffer.alloc(0);
    if (rest.length > 0) this.read(rest);
  }

  private read(chunk: Buffer): void {
    try {
      const shouldStop = (): boolean => this.isPaused || this.isClosed;
      const numRead = this.options.reader.push(chunk, shouldStop);
      if (numRead === chunk.length || this.isClosed) return;
      this.held = Buffer.concat([chunk.subarray(numRead), this.held]);
      if (this.held.length > MAX_HELD_BYTES + READ_BYTES) this.end("too much came while it was paused");
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }

  private end(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket.destroy();
    this.options.onClose(reason);
  }
}
