import { expect, test } from "vitest";
import { decodeRelayHeader, encodeRelayHeader } from "./relay-header.js";

test("a relay header has the literal bytes of version 1, both ways", () => {
  const bytes = encodeRelayHeader({ generation: 0x01020304, sourceRank: 5, destinationRank: 258 });
  expect(Buffer.from(bytes).toString("hex")).toBe("0403020105000201");
  expect(decodeRelayHeader(bytes)).toEqual({ generation: 0x01020304, sourceRank: 5, destinationRank: 258 });
});

test("refuses fewer than 8 bytes and ranks that do not fit", () => {
  expect(() => decodeRelayHeader(new Uint8Array(7))).toThrow(expect.objectContaining({ code: "E_FRAME_LENGTH" }));
  expect(() => encodeRelayHeader({ generation: 0, sourceRank: 65_536, destinationRank: 0 })).toThrow(
    expect.objectContaining({ code: "E_FRAME_FIELD" }),
  );
});
