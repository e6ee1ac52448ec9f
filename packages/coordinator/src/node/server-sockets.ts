/** @file What the coordinator needs of `ws` and of time, so that the composition root can give them. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** A server-side socket of `ws`. */
export interface ServerSocket {
  binaryType: "nodebuffer" | "arraybuffer" | "fragments" | "blob";
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(
    data: Uint8Array,
    options: { binary: boolean; fin: boolean; compress: boolean },
    sent: (error?: Error) => void,
  ): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  pause(): void;
  resume(): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

export interface UpgradeServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: ServerSocket) => void): void;
  /** Every socket that is not closed yet, those that wait for the peer's farewell included. */
  readonly clients: Iterable<ServerSocket>;
  close(): void;
}

/** `{ WebSocketServer }` of `ws`. */
export interface ServerSocketConstructors {
  readonly WebSocketServer: new (options: {
    readonly noServer: true;
    readonly perMessageDeflate: false;
    readonly maxPayload: number;
  }) => UpgradeServer;
}

/** Time as the composition root gives it. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. */
  schedule(delayMs: number, callback: () => void): () => void;
}
