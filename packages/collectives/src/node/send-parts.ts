import { WS_OPEN, type WsSocket } from "./socket-constructors.js";

/**
 * Sends one message made of the parts as fragments, so that nothing is joined in memory.
 *
 * @returns when the kernel has taken the last byte: the parts may change again.
 */
export function sendParts(socket: WsSocket, parts: readonly Uint8Array[]): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.readyState !== WS_OPEN) {
      reject(new Error("the socket is closed"));
      return;
    }
    const last = parts.length - 1;
    for (const [i, part] of parts.entries()) {
      const buffer = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      const options = { binary: true, fin: i === last, compress: false };
      socket.send(buffer, options, (error) => {
        if (error) reject(error);
        else if (i === last) resolve();
      });
    }
  });
}
