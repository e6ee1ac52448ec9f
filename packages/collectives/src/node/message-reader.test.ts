import {
  BULK_HEADER_BYTES,
  type BulkHeader,
  emptyBulkHeader,
  encodeBulkHeader,
  ProtocolError,
  protocolLimits,
} from "@lockstep/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageReader, type MessageReaderEvents } from "./message-reader.js";

const never = (): boolean => false;

/** A server's frame: fragments of the given bytes. */
function fragment(bytes: Uint8Array, options: { first: boolean; final: boolean; opcode?: number }): Uint8Array {
  const head = [(options.final ? 0x80 : 0) | (options.opcode ?? (options.first ? 2 : 0))];
  if (bytes.length < 126) head.push(bytes.length);
  else if (bytes.length < 65_536) head.push(126, bytes.length >> 8, bytes.length & 255);
  else head.push(127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (bytes.length >>> shift) & 255));
  return Uint8Array.of(...head, ...bytes);
}

function messageOf(header: BulkHeader, payload: Uint8Array, cuts: readonly number[] = [BULK_HEADER_BYTES]): Uint8Array {
  const whole = Uint8Array.of(...encodeBulkHeader(header), ...payload);
  const stops = [...new Set([0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length])].sort(
    (a, b) => a - b,
  );
  const pieces = stops.slice(1).map((stop, i) => whole.subarray(stops[i], stop));
  const bytes = pieces.map((piece, i) => fragment(piece, { first: i === 0, final: i === pieces.length - 1 }));
  return Uint8Array.of(...bytes.flatMap((piece) => [...piece]));
}

function headerOf(step: number, elementCount: number): BulkHeader {
  return { ...emptyBulkHeader, kind: "gatheredShard", stream: "collective", step, elementCount };
}

function record(overrides: Partial<MessageReaderEvents> = {}) {
  const seen: string[] = [];
  const events: MessageReaderEvents = {
    place: () => undefined,
    onFrame: (header, payload) => seen.push(`frame ${header.step}: ${[...payload].join()}`),
    onPing: (payload) => seen.push(`ping ${payload.length}`),
    onClose: (code) => seen.push(`close ${code}`),
    ...overrides,
  };
  return { seen, reader: new MessageReader(protocolLimits, events) };
}

describe("MessageReader", () => {
  test("gives the same frames for any fragments and any chunks", () => {
    const plan = fc.record({
      lengths: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 4 }),
      cuts: fc.array(fc.nat({ max: 200 }), { maxLength: 4 }),
      chunks: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }),
    });
    fc.assert(
      fc.property(plan, ({ lengths, cuts, chunks }) => {
        const { seen, reader } = record();
        const payloads = lengths.map((length, step) => Uint8Array.from({ length: 4 * length }, (_, i) => i + step));
        const stream = payloads.flatMap((payload, step) => [
          ...messageOf(headerOf(step, lengths[step]!), payload, cuts),
        ]);
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = chunks[i % chunks.length]!;
          expect(reader.push(Uint8Array.from(stream.slice(at, at + size)), never)).toBe(
            Math.min(size, stream.length - at),
          );
          at += size;
        }
        expect(seen).toEqual(payloads.map((payload, step) => `frame ${step}: ${[...payload].join()}`));
      }),
      { seed: 51 },
    );
  });

  test("any bytes give frames or a ProtocolError", () => {
    const valid = messageOf(headerOf(1, 3), new Uint8Array(12));
    const flipped = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })).map(([at, value]) => {
      const bytes = Uint8Array.from(valid);
      bytes[at] = value;
      return Uint8Array.of(...bytes, ...bytes);
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), flipped), (bytes) => {
        try {
          return record().reader.push(bytes, never) === bytes.length;
        } catch (error) {
          return error instanceof ProtocolError;
        }
      }),
      { numRuns: 3_000, seed: 52 },
    );
  });

  test.each([
    ["a masked frame", Uint8Array.of(0x82, 0x80 | 5)],
    ["a compressed frame", Uint8Array.of(0xc2, 5)],
    ["a text frame", Uint8Array.of(0x81, 5)],
    ["a continuation of nothing", Uint8Array.of(0x80, 5)],
    ["a ping of 126 bytes", Uint8Array.of(0x89, 126, 0, 126)],
    ["a message shorter than its header says", messageOf(headerOf(0, 3), new Uint8Array(8))],
    ["a message longer than its header says", messageOf(headerOf(0, 1), new Uint8Array(8))],
    ["a message past maxFrameBytes", Uint8Array.of(0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0)],
  ])("refuses %s", (_what, bytes) => {
    expect(() => record().reader.push(bytes, never)).toThrow(ProtocolError);
  });

  test("reports pings and closes between fragments of a message", () => {
    const message = messageOf(headerOf(4, 1), Uint8Array.of(1, 2, 3, 4));
    const ping = fragment(Uint8Array.of(7, 7), { first: true, final: true, opcode: 9 });
    const close = fragment(Uint8Array.of(0x03, 0xe8), { first: true, final: true, opcode: 8 });
    const head = 2 + BULK_HEADER_BYTES;
    const { seen, reader } = record();
    reader.push(Uint8Array.of(...message.subarray(0, head), ...ping, ...message.subarray(head), ...close), never);
    expect(seen).toEqual(["ping 2", "frame 4: 1,2,3,4", "close 1000"]);
  });

  test("writes a payload into the memory it is lent, and not after it is no longer wanted", () => {
    const memory = new Uint8Array(8);
    let isWanted = true;
    const { seen, reader } = record({ place: () => ({ memory, isWanted: () => isWanted }) });
    const message = messageOf(headerOf(1, 2), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    reader.push(message.subarray(0, message.length - 5), never);
    isWanted = false;
    reader.push(message.subarray(message.length - 5), never);
    expect([...memory]).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
    expect(seen).toEqual([]);
    isWanted = true;
    reader.push(message, never);
    expect(seen).toEqual(["frame 1: 1,2,3,4,5,6,7,8"]);
  });

  test("asks for a payload in one piece, aligned as the memory it goes to", () => {
    const memory = new Uint8Array(new ArrayBuffer(4_012), 12, 4_000);
    const { reader } = record({ place: () => ({ memory, isWanted: () => true }) });
    expect(reader.nextRead(1_024)).toEqual({ offset: 0, numBytes: 100 });
    const message = messageOf(headerOf(1, 1_000), new Uint8Array(4_000));
    reader.push(message.subarray(0, message.length - 4_000 + 7), never);
    expect(reader.nextRead(1_024)).toEqual({ offset: (12 + 7) % 8, numBytes: 1_024 });
    expect(reader.nextRead(100_000)).toEqual({ offset: (12 + 7) % 8, numBytes: 3_993 });
  });
});
