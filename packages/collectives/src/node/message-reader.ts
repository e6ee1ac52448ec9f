/**
 * @file Reads bulk frames from the bytes of a WebSocket connection, as the side that dialled: a state machine over chunks.
 *
 * A payload is copied once, from the chunk to where the listener wants it, header first. Only what our servers send is
 * accepted: unmasked binary messages, in any number of fragments, and control frames. Everything else throws.
 */
import {
  BULK_HEADER_BYTES,
  type BulkHeader,
  bulkFrameBytes,
  decodeBulkHeader,
  ProtocolError,
  type ProtocolLimits,
} from "@lockstep/protocol";
import type { Landing } from "../transport/transport.js";

export interface MessageReaderEvents {
  /** Where the payload shall lie; undefined lets the reader choose. */
  place(header: BulkHeader): Landing | undefined;
  onFrame(header: BulkHeader, payload: Uint8Array): void;
  onPing(payload: Uint8Array): void;
  onClose(code: number): void;
}

const OPCODE_CONTINUATION = 0;
const OPCODE_BINARY = 2;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const MAX_CONTROL_BYTES = 125;
const NO_STATUS = 1005;
const WORD_BYTES = 8;
/** Heads of a frame's two fragments and the bulk header. */
const HEADS_BYTES = 2 + BULK_HEADER_BYTES + 10;

export class MessageReader {
  private readonly limits: ProtocolLimits;
  private readonly events: MessageReaderEvents;
  private readonly fragmentHead = new Uint8Array(10);
  private fragmentHeadBytes = 0;
  /** Bytes of the current fragment still to come; -1 while its head is read. */
  private fragmentLeft = -1;
  private opcode = 0;
  private isFinal = false;
  private isInMessage = false;
  private control = new Uint8Array(0);
  private controlAt = 0;
  private readonly bulkHead = new Uint8Array(BULK_HEADER_BYTES);
  private messageAt = 0;
  private header: BulkHeader | undefined;
  private landing: Landing | undefined;
  private payload: Uint8Array = new Uint8Array(0);

  constructor(limits: ProtocolLimits, events: MessageReaderEvents) {
    this.limits = limits;
    this.events = events;
  }

  /**
   * How the next read from the kernel is best made: how many bytes, and at which offset of an aligned buffer, so that a
   * payload comes as one piece, at the alignment of the memory it goes to. Shared memory is copied by words only if both
   * sides are aligned alike, else by bytes.
   */
  nextRead(maxBytes: number): { readonly offset: number; readonly numBytes: number } {
    const isPayload = this.fragmentLeft > 0 && this.opcode < OPCODE_CLOSE && this.messageAt >= BULK_HEADER_BYTES;
    if (!isPayload) return { offset: 0, numBytes: HEADS_BYTES };
    const offset = (this.payload.byteOffset + this.messageAt - BULK_HEADER_BYTES) % WORD_BYTES;
    return { offset, numBytes: Math.min(this.fragmentLeft, maxBytes) };
  }

  /**
   * Reads until the chunk is used up or `shouldStop` says so; the chunk may be overwritten afterwards.
   *
   * @returns how many bytes were read.
   * @throws {ProtocolError} for anything a server of ours does not send.
   */
  push(chunk: Uint8Array, shouldStop: () => boolean): number {
    let at = 0;
    while (at < chunk.length && !shouldStop()) {
      if (this.fragmentLeft < 0) at = this.readFragmentHead(chunk, at);
      else at = this.readBody(chunk, at, Math.min(chunk.length, at + this.fragmentLeft));
      if (this.fragmentLeft === 0) this.endFragment();
    }
    return at;
  }

  private readFragmentHead(chunk: Uint8Array, at: number): number {
    this.fragmentHead[this.fragmentHeadBytes++] = chunk[at]!;
    const [first, second] = this.fragmentHead as unknown as [number, number];
    if (this.fragmentHeadBytes < 2) return at + 1;
    const short = second & 0x7f;
    const numLengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (this.fragmentHeadBytes < 2 + numLengthBytes) return at + 1;
    const view = new DataView(this.fragmentHead.buffer);
    const length = short === 127 ? Number(view.getBigUint64(2)) : short === 126 ? view.getUint16(2) : short;
    this.beginFragment(first, second, length);
    return at + 1;
  }

  private beginFragment(first: number, second: number, length: number): void {
    this.fragmentHeadBytes = 0;
    this.fragmentLeft = length;
    this.isFinal = (first & 0x80) !== 0;
    this.opcode = first & 0x0f;
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0) refuse("has reserved bits or a mask; it must have neither");
    if (this.opcode >= OPCODE_CLOSE) {
      const isKnown = this.opcode === OPCODE_CLOSE || this.opcode === OPCODE_PING || this.opcode === OPCODE_PONG;
      if (!isKnown || !this.isFinal || length > MAX_CONTROL_BYTES)
        refuse(`is a control frame 0x${this.opcode} of ${length} bytes`);
      this.control = new Uint8Array(length);
      this.controlAt = 0;
      return;
    }
    if (this.opcode !== (this.isInMessage ? OPCODE_CONTINUATION : OPCODE_BINARY)) {
      refuse(`has opcode ${this.opcode}; a binary message must come`);
    }
    if (!this.isInMessage) this.messageAt = 0;
    this.isInMessage = true;
    if (this.messageAt + length > this.limits.maxFrameBytes) {
      throw new ProtocolError(
        "E_FRAME_TOO_LARGE",
        `protocol: a message of at least ${this.messageAt + length} bytes comes; the limit is ${this.limits.maxFrameBytes} (maxFrameBytes).`,
        { frameBytes: this.messageAt + length, maxFrameBytes: this.limits.maxFrameBytes },
      );
    }
  }

  /** Bytes [at, end) of the chunk belong to the current fragment. */
  private readBody(chunk: Uint8Array, at: number, end: number): number {
    let begin = at;
    if (this.opcode >= OPCODE_CLOSE) {
      this.control.set(chunk.subarray(at, end), this.controlAt);
      this.controlAt += end - at;
    } else {
      if (this.messageAt < BULK_HEADER_BYTES) begin = this.readBulkHead(chunk, at, end);
      if (begin < end) this.readPayload(chunk, begin, end);
    }
    this.fragmentLeft -= end - at;
    return end;
  }

  private readBulkHead(chunk: Uint8Array, at: number, end: number): number {
    const stop = Math.min(end, at + BULK_HEADER_BYTES - this.messageAt);
    this.bulkHead.set(chunk.subarray(at, stop), this.messageAt);
    this.messageAt += stop - at;
    if (this.messageAt < BULK_HEADER_BYTES) return stop;
    this.header = decodeBulkHeader(this.bulkHead, bulkFrameBytes(this.bulkHead), this.limits);
    this.landing = this.header.elementCount === 0 ? undefined : this.events.place(this.header);
    this.payload = this.landing?.memory ?? new Uint8Array(4 * this.header.elementCount);
    return stop;
  }

  private readPayload(chunk: Uint8Array, at: number, end: number): void {
    const offset = this.messageAt - BULK_HEADER_BYTES;
    if (offset + end - at > this.payload.length)
      refuse(`is longer than the ${this.payload.length} bytes its header announces`);
    // Whoever gave the memory may have taken it back: then the rest is read and forgotten.
    if (this.landing === undefined || this.landing.isWanted()) this.payload.set(chunk.subarray(at, end), offset);
    this.messageAt += end - at;
  }

  private endFragment(): void {
    this.fragmentLeft = -1;
    if (this.opcode === OPCODE_PING) this.events.onPing(this.control);
    if (this.opcode === OPCODE_CLOSE) {
      this.events.onClose(this.control.length >= 2 ? (this.control[0]! << 8) | this.control[1]! : NO_STATUS);
    }
    if (this.opcode >= OPCODE_CLOSE || !this.isFinal) return;
    this.isInMessage = false;
    const { header, landing, payload } = this;
    if (header === undefined || this.messageAt !== BULK_HEADER_BYTES + payload.length) {
      refuse(`ends after ${this.messageAt} bytes; it must have ${BULK_HEADER_BYTES + payload.length}`);
    }
    this.header = undefined;
    this.landing = undefined;
    this.payload = new Uint8Array(0);
    if (landing === undefined || landing.isWanted()) this.events.onFrame(header, payload);
  }
}

function refuse(what: string): never {
  throw new ProtocolError("E_FRAME_LENGTH", `protocol: a message on a data link ${what}.`, {});
}
