/**
 * @file What this package needs of `ws`, so that the composition root can give it its constructors.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** A socket of `ws`. */
export interface WsSocket {
  binaryType: "nodebuffer" | "arraybuffer" | "fragments" | "blob";
  readonly readyState: number;
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

export interface WsSocketOptions {
  readonly perMessageDeflate: false;
  readonly maxPayload: number;
  readonly handshakeTimeout: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface WsServer {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: WsSocket) => void): void;
  close(): void;
}

/** `{ WebSocket, WebSocketServer }` of `ws`. */
export interface SocketConstructors {
  readonly WebSocket: new (url: string, options: WsSocketOptions) => WsSocket;
  readonly WebSocketServer: new (options: {
    readonly noServer: true;
    readonly perMessageDeflate: false;
    readonly maxPayload: number;
  }) => WsServer;
}

export const WS_OPEN = 1;
