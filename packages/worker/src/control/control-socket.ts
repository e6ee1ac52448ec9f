/** @file What the control channel needs of `ws`, so that the composition root can give it its constructor. */

/** A client socket of `ws`. */
export interface ControlSocket {
  binaryType: "nodebuffer" | "arraybuffer" | "fragments" | "blob";
  send(
    data: Uint8Array,
    options: { binary: boolean; fin: boolean; compress: boolean },
    sent: (error?: Error) => void,
  ): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  close(code?: number, reason?: string): void;
  terminate(): void;
}

export interface ControlSocketOptions {
  readonly perMessageDeflate: false;
  readonly maxPayload: number;
  readonly handshakeTimeout: number;
  readonly headers: Readonly<Record<string, string>>;
}

export type ControlSocketConstructor<Socket extends ControlSocket = ControlSocket> = new (
  url: string,
  options: ControlSocketOptions,
) => Socket;
