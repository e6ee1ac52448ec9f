import type { FrameChannel } from "@lockstep/protocol";
import { sendParts } from "./send-parts.js";
import type { WsSocket } from "./socket-constructors.js";

/** A `FrameChannel` over an open socket of `ws`, for both ends of the relay. Text frames close it. @source none: ours */
export function webSocketFrameChannel(socket: WsSocket): FrameChannel {
  let frameListener: ((bytes: Uint8Array) => void) | undefined;
  let closeListener: ((reason: string) => void) | undefined;
  let closedBecause: string | undefined;
  const early: Uint8Array[] = [];
  const end = (reason: string): void => {
    if (closedBecause !== undefined) return;
    closedBecause = reason;
    closeListener?.(reason);
  };
  socket.binaryType = "nodebuffer";
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (!isBinary) {
      socket.close(1003, "binary frames only");
      return;
    }
    if (frameListener === undefined) early.push(data);
    else frameListener(data);
  });
  socket.on("error", (error: Error) => end(error.message));
  socket.on("close", (code: number, reason: Buffer) => end(`closed with ${code} ${reason.toString()}`.trim()));
  return {
    send: (parts) => sendParts(socket, parts),
    onFrame(listener) {
      frameListener = listener;
      for (const bytes of early.splice(0)) listener(bytes);
    },
    onClose(listener) {
      closeListener = listener;
      if (closedBecause !== undefined) listener(closedBecause);
    },
    close: () => socket.close(1000, "done"),
  };
}
