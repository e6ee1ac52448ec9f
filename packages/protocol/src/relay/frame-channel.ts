/**
 * @file A duplex of whole binary frames to the coordinator, over which relayed frames travel.
 *
 * The worker's side gives it to `RelayTransport`; the coordinator forwards what it reads to the channel of the
 * destination and reads only the relay header. Each side bounds what waits in `send` by awaiting it.
 */
export interface FrameChannel {
  /**
   * Sends one frame made of the parts in order, without joining them where the socket allows it. The parts must not
   * change before the promise resolves.
   */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** One listener; the bytes are the listener's to keep. */
  onFrame(listener: (bytes: Uint8Array) => void): void;
  /** Called once, with the reason in words. */
  onClose(listener: (reason: string) => void): void;
  close(): void;
}
