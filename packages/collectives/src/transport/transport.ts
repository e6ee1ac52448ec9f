/**
 * @file Transport: ordered bulk frames between workers, by whatever way. Addressed by workerId, because links outlive
 * generations; who has which rank is the group's business (group/process-group.ts).
 *
 * What every implementation keeps (`transportConformance` checks it):
 * - frames to one peer arrive in the order in which they were sent, whole, once, or the peer is reported lost;
 * - `send` resolves when the frame's memory may change again, and waits while too many bytes are on their way;
 * - what waits for a paused peer is bounded: its sender waits, or it is reported lost;
 * - a lost peer is reported once, its waiting sends reject with E_PEER_LOST, and nothing arrives from it afterwards.
 */
import type { BulkHeader } from "@lockstep/protocol";

/** A bulk frame: header and raw little-endian payload of 4 x elementCount bytes. */
export interface BulkFrame {
  readonly header: BulkHeader;
  /** Of a received frame: the listener's to keep and to write. Aligned to 4 bytes where the way allows it. */
  readonly payload: Uint8Array;
}

/** Memory that a listener lends for a payload that is on its way. */
export interface Landing {
  /** 4 x elementCount bytes. */
  readonly memory: Uint8Array;
  /** Asked before every write: once false, the memory is not written again and the frame is not delivered. */
  isWanted(): boolean;
}

export interface TransportListener {
  /**
   * A frame of this header begins to come: where its payload shall lie, so that it is copied once. A transport need not
   * ask; one that does delivers that memory as the payload.
   */
  place?(peerId: string, header: BulkHeader): Landing | undefined;
  onFrame(peerId: string, frame: BulkFrame): void;
  /** @param reason in words, for the log. */
  onPeerLost(peerId: string, reason: string): void;
}

export interface LinkCounters {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesSent: number;
  readonly framesReceived: number;
}

export interface SendOptions {
  /** Asked when a frame that waited could leave: if true it is not sent, and `send` rejects with E_GENERATION_CHANGED. */
  readonly isCancelled?: () => boolean;
}

export interface Transport {
  readonly workerId: string;
  /** Peers that frames can be sent to now. */
  peers(): readonly string[];
  /** @throws {CollectiveError} E_PEER_LOST when the peer is not, or no longer, reachable; E_DISPOSED after `dispose`. */
  send(peerId: string, frame: BulkFrame, options?: SendOptions): Promise<void>;
  /** One listener; frames that come before it is set wait. */
  listen(listener: TransportListener): void;
  /** Delivers nothing more from this peer until `resume`. */
  pause(peerId: string): void;
  resume(peerId: string): void;
  counters(peerId: string): LinkCounters;
  /** Closes every link; waiting sends reject. Peers are not reported lost to this side. */
  dispose(): Promise<void>;
}

/** The payload as f32, viewed where it is aligned, copied where not. @source none: ours */
export function floatsOf(payload: Uint8Array): Float32Array {
  if (payload.byteOffset % 4 === 0) return new Float32Array(payload.buffer, payload.byteOffset, payload.byteLength / 4);
  const copy = new Float32Array(payload.byteLength / 4); // not payload.slice(): a Buffer's is a view
  bytesOf(copy).set(payload);
  return copy;
}

/** The bytes of an array of numbers, without copying. @source none: ours */
export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
