/**
 * @file The limits of the wire, one table. Options of the rooms take their defaults here.
 */

/** What a peer may send at most; see each field. */
export interface ProtocolLimits {
  /** Bytes of one bulk frame, header included. */
  readonly maxFrameBytes: number;
  /** Bytes of one control message whose definition names no smaller limit. */
  readonly maxControlBytes: number;
  /** Bytes of the only message that is read before authentication. */
  readonly maxHelloBytes: number;
  /** Nesting of arrays and maps in a control message. */
  readonly maxControlDepth: number;
  /** Items of all arrays and maps of a control message together. */
  readonly maxControlItems: number;
  /** Ranks of a group; ranks travel as u16 in the relay header. */
  readonly maxWorldSize: number;
  /** Micro-batches of a step. */
  readonly maxMicroBatches: number;
  /** Bytes that may wait for one peer on the receiving side before its link is paused. */
  readonly maxQueuedBytesPerPeer: number;
  /** Bytes that may be on their way to one peer before `send` waits. */
  readonly maxInFlightBytesPerPeer: number;
}

/** The defaults. */
export const protocolLimits: ProtocolLimits = Object.freeze({
  maxFrameBytes: 67_108_864,
  maxControlBytes: 4_194_304,
  maxHelloBytes: 4_096,
  maxControlDepth: 16,
  maxControlItems: 1_048_576,
  maxWorldSize: 1_024,
  maxMicroBatches: 65_536,
  maxQueuedBytesPerPeer: 268_435_456,
  maxInFlightBytesPerPeer: 16_777_216,
});
