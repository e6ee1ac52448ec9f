import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ProtocolError } from "../errors.js";
import {
  BULK_HEADER_BYTES,
  type BulkHeader,
  bulkKinds,
  bulkStreams,
  decodeBulkHeader,
  emptyBulkHeader,
  encodeBulkHeader,
} from "./bulk-header.js";

const nodeShard: BulkHeader = {
  kind: "nodeShard",
  stream: "gradient",
  generation: 7,
  attempt: 2,
  step: 4_294_967_297,
  bucket: 5,
  shard: 1,
  block: 11,
  ownerRank: 1,
  nodeLo: 4,
  nodeHi: 8,
  weight: 96,
  elementOffset: 1_310_720,
  elementCount: 2,
  senderRank: 3,
  payloadHash: [0, 0, 0, 0],
};
const NODE_SHARD_HEX = [
  "4c534642 03 01 01 00", // magic "LSFB", version, kind, stream, zero
  "07000000 02000000", // generation, attempt
  "0100000001000000", // step 2^32 + 1
  "05000000 01000000 0b000000 01000000", // bucket, shard, block, ownerRank
  "04000000 08000000", // nodeLo, nodeHi
  "0000000000005840", // weight 96
  "0000140000000000", // elementOffset
  "02000000 03000000", // elementCount, senderRank
  "00000000000000000000000000000000", // payloadHash
  "0000803f 000000c0", // 1, -2
].join(" ");

const reducedShard: BulkHeader = {
  ...emptyBulkHeader,
  kind: "reducedShard",
  stream: "gradient",
  generation: 1,
  attempt: 1,
  step: 9,
  shard: 2,
  ownerRank: 2,
  weight: 0.5,
  elementCount: 1,
  senderRank: 2,
  payloadHash: [0x01020304, 0xdeadbeef, 0, 0xffffffff],
};
const REDUCED_SHARD_HEX = [
  "4c534642 03 02 01 00 01000000 01000000 0900000000000000 00000000 02000000 00000000 02000000",
  "00000000 00000000 000000000000e03f 0000000000000000 01000000 02000000 04030201 efbeadde 00000000 ffffffff",
  "0000c03f",
].join(" ");

const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const frameOf = (header: BulkHeader, payload: readonly number[]): Uint8Array =>
  Uint8Array.of(...encodeBulkHeader(header), ...new Uint8Array(Float32Array.from(payload).buffer));

describe("bulk header", () => {
  test.each([
    ["nodeShard", nodeShard, [1, -2], NODE_SHARD_HEX],
    ["reducedShard", reducedShard, [1.5], REDUCED_SHARD_HEX],
  ])("a %s frame has the literal bytes of version 3, both ways", (_name, header, payload, text) => {
    expect(Buffer.from(frameOf(header, payload)).toString("hex")).toBe(text.replaceAll(" ", ""));
    expect(decodeBulkHeader(fromHex(text))).toEqual(header);
  });

  test.each(Object.entries(bulkKinds))("a frame of kind %s carries tag %i at byte 5", (kind, tag) => {
    const isNode = kind === "nodeShard";
    const bytes = encodeBulkHeader({
      ...emptyBulkHeader,
      kind: kind as BulkHeader["kind"],
      stream: "link",
      nodeHi: isNode ? 1 : 0,
    });
    expect(Buffer.from(bytes.subarray(0, 8)).toString("hex")).toBe(`4c534642030${tag}0000`);
    expect(decodeBulkHeader(bytes).kind).toBe(kind);
  });

  test("the tables of kinds and streams are those of version 3", () => {
    expect({ bulkKinds, bulkStreams, BULK_HEADER_BYTES }).toMatchInlineSnapshot(`
      {
        "BULK_HEADER_BYTES": 88,
        "bulkKinds": {
          "barrier": 5,
          "broadcastChunk": 4,
          "gatheredShard": 3,
          "integers": 6,
          "nodeShard": 1,
          "ping": 7,
          "pong": 8,
          "reducedShard": 2,
        },
        "bulkStreams": {
          "collective": 2,
          "gradient": 1,
          "link": 0,
        },
      }
    `);
  });

  test("leaves the payload at a multiple of 8 bytes", () => {
    expect(BULK_HEADER_BYTES % 8).toBe(0);
    expect(new Float32Array(frameOf(nodeShard, [1, -2]).buffer, BULK_HEADER_BYTES)).toEqual(Float32Array.of(1, -2));
  });

  test.each([
    ["another version", 4, 1, "E_PROTOCOL_VERSION"],
    ["an unknown kind", 5, 99, "E_FRAME_FIELD"],
    ["another magic", 0, 0, "E_FRAME_MAGIC"],
    ["a negative weight", 55, 0xc0, "E_FRAME_FIELD"],
    ["a weight that is not finite", 55, 0x7f, "E_FRAME_FIELD"],
    ["a step past 2^53", 22, 0xff, "E_FRAME_FIELD"],
    ["a length that is not the frame's", 64, 3, "E_FRAME_LENGTH"],
    ["a node that ends before it begins", 44, 4, "E_FRAME_FIELD"],
  ])("refuses %s", (_what, at, value, code) => {
    const bytes = fromHex(NODE_SHARD_HEX);
    bytes[at] = value;
    if (at === 55) bytes[54] = 0xf0;
    expect(() => decodeBulkHeader(bytes)).toThrow(expect.objectContaining({ name: "ProtocolError", code }));
  });

  test("names the limit and the knobs when a frame is too large", () => {
    expect(() => decodeBulkHeader(fromHex(NODE_SHARD_HEX), 73_400_320)).toThrowErrorMatchingInlineSnapshot(
      `[ProtocolError: protocol: a bulk frame has 73400320 bytes; the limit is 67108864 (maxFrameBytes). Lower bucketBytes on the sender or raise maxFrameBytes on the receiver.]`,
    );
  });

  test("gives back every header it writes", () => {
    const u32 = fc.nat({ max: 0xffffffff });
    const rank = fc.nat({ max: 1023 });
    const headers = fc.record({
      kind: fc.constantFrom("nodeShard" as const, "reducedShard" as const, "broadcastChunk" as const),
      stream: fc.constantFrom("gradient" as const, "collective" as const),
      generation: u32,
      attempt: u32,
      step: fc.maxSafeNat(),
      bucket: u32,
      shard: u32,
      block: u32,
      ownerRank: rank,
      weight: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
      elementOffset: fc.maxSafeNat(),
      elementCount: fc.nat({ max: 16 }),
      senderRank: rank,
      payloadHash: fc.tuple(u32, u32, u32, u32),
    });
    fc.assert(
      fc.property(headers, fc.nat({ max: 1000 }), (fields, nodeLo) => {
        const isNode = fields.kind === "nodeShard";
        const header: BulkHeader = { ...fields, nodeLo: isNode ? nodeLo : 0, nodeHi: isNode ? nodeLo + 1 : 0 };
        expect(decodeBulkHeader(encodeBulkHeader(header), BULK_HEADER_BYTES + 4 * header.elementCount)).toEqual(header);
      }),
      { seed: 12 },
    );
  });

  test("decoding any bytes throws ProtocolError or gives a header", () => {
    const flipped = fc.tuple(fc.nat({ max: 95 }), fc.nat({ max: 255 })).map(([at, value]) => {
      const bytes = fromHex(NODE_SHARD_HEX);
      bytes[at] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), flipped), (bytes) => {
        try {
          return decodeBulkHeader(bytes).elementCount * 4 + BULK_HEADER_BYTES === bytes.byteLength;
        } catch (error) {
          return error instanceof ProtocolError;
        }
      }),
      { numRuns: 3_000, seed: 13 },
    );
  });
});
