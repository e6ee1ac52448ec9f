import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { ProtocolError } from "../errors.js";
import { createControlCodec, defineMessage } from "./control-codec.js";
import { messageTable } from "./message-table.js";

const hello = defineMessage({
  tag: 1,
  name: "hello",
  direction: "workerToCoordinator",
  schema: z.strictObject({ workerId: z.string().max(64), cores: z.int().nonnegative(), note: z.string().optional() }),
  maxBytes: 256,
  since: 1,
  doc: "Who I am.",
});
const blob = defineMessage({
  tag: 2,
  name: "blob",
  direction: "both",
  schema: z.strictObject({ offset: z.int(), bytes: z.instanceof(Uint8Array), nested: z.array(z.array(z.number())) }),
  maxBytes: 65_536,
  since: 1,
  doc: "Bytes.",
});
const codec = createControlCodec([hello, blob]);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

describe("control codec", () => {
  test("writes the literal bytes of this version", () => {
    expect(hex(codec.encodeControl("hello", { workerId: "w-1", cores: 2 }))).toBe(
      ["4c43", "0300", "0100", "0000", "82", "a8", "776f726b65724964", "a3", "772d31", "a5", "636f726573", "02"].join(
        "",
      ),
    );
  });

  test("gives back what was encoded, byte strings and absent fields included", () => {
    const body = { offset: 7, bytes: Uint8Array.of(0, 255, 3), nested: [[1.5], []] };
    const message = codec.decodeControl(codec.encodeControl("blob", body), "worker");
    expect(message.name).toBe("blob");
    if (message.name !== "blob") return;
    expect({ ...message.body, bytes: [...message.body.bytes] }).toEqual({ ...body, bytes: [0, 255, 3] });
    const withUndefined = codec.encodeControl("hello", { workerId: "a", cores: 1, note: undefined });
    expect(codec.decodeControl(withUndefined, "worker").body).toEqual({ workerId: "a", cores: 1 });
  });

  test.each([
    ["another version", "4c43 0100 0100 0000 80", "E_PROTOCOL_VERSION"],
    ["an unknown tag", "4c43 0300 0900 0000 80", "E_MESSAGE_TAG"],
    ["another magic", "4c44 0100 0100 0000 80", "E_FRAME_MAGIC"],
    ["a header cut short", "4c43 01", "E_FRAME_LENGTH"],
    ["a body without the schema's fields", "4c43 0300 0100 0000 80", "E_MESSAGE_BODY"],
    ["an array that announces four billion items", "4c43 0300 0100 0000 ddffffffff", "E_MESSAGE_PACK"],
    ["an extension type", "4c43 0300 0100 0000 d40000", "E_MESSAGE_PACK"],
    ["bytes after the value", "4c43 0300 0100 0000 80 80", "E_MESSAGE_PACK"],
    ["nesting past the limit", `4c43 0300 0100 0000 ${"91".repeat(40)}c0`, "E_MESSAGE_PACK"],
    ["a message longer than its own limit", `4c43 0300 0100 0000 ${"c0".repeat(300)}`, "E_FRAME_TOO_LARGE"],
  ])("refuses %s", (_what, text, code) => {
    expect(() => codec.decodeControl(fromHex(text), "worker")).toThrow(expect.objectContaining({ code }));
  });

  test("refuses a message from the side that may not send it", () => {
    const bytes = codec.encodeControl("hello", { workerId: "a", cores: 1 });
    expect(() => codec.decodeControl(bytes, "coordinator")).toThrow(
      expect.objectContaining({ code: "E_MESSAGE_DIRECTION" }),
    );
  });

  test("names the field that breaks the schema", () => {
    expect(() => codec.encodeControl("hello", { workerId: "a", cores: -1 })).toThrow(
      expect.objectContaining({ code: "E_MESSAGE_BODY", fields: { name: "hello", path: "cores" } }),
    );
  });

  test("refuses two rows with one tag", () => {
    const clash = defineMessage({ ...blob, name: "other" });
    expect(() => createControlCodec([blob, clash])).toThrow(expect.objectContaining({ code: "E_MESSAGE_TABLE" }));
  });

  test("decoding any bytes throws ProtocolError or gives a message", () => {
    const prefix = [0x4c, 0x43, 2, 0];
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 64 }))
        .map(([tag, rest]) => Uint8Array.of(...prefix, tag, 0, 0, 0, ...rest)),
      fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 255 })).map(([at, value]) => {
        const bytes = codec.encodeControl("blob", { offset: 3, bytes: Uint8Array.of(1, 2), nested: [[1], [2, 3]] });
        bytes[at % bytes.length] = value;
        return bytes;
      }),
    );
    fc.assert(
      fc.property(bodies, (bytes) => {
        try {
          return ["hello", "blob"].includes(codec.decodeControl(bytes, "worker").name);
        } catch (error) {
          return error instanceof ProtocolError;
        }
      }),
      { numRuns: 3_000, seed: 11 },
    );
  });

  test("prints its table", () => {
    expect(messageTable(codec.table)).toMatchInlineSnapshot(`
      "1 hello workerToCoordinator 256 since 1
      2 blob both 65536 since 1"
    `);
  });
});
