import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../errors.js";
import type { HostTensor } from "./host-tensor.js";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.js";

/** A file with this header text and this many bytes of data. */
function fileOf(header: string, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + dataBytes);
  new DataView(out.buffer).setUint32(0, json.length, true);
  out.set(json, 8);
  return out;
}
const entry = (dtype: string, shape: unknown, offsets: unknown) =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

describe("safetensors", () => {
  test("writes these bytes", () => {
    const bytes = encodeSafetensors([["w", { dtype: "f32", shape: [2], data: new Float32Array([1, -2]) }]], {
      metadata: { format: "lockstep" },
    });
    expect(new TextDecoder("latin1").decode(bytes.subarray(0, 104))).toBe(
      `\x60\0\0\0\0\0\0\0{"__metadata__":{"format":"lockstep"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}     `,
    );
    expect([...bytes.subarray(104)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  test("reads back what it wrote, for any names, shapes and numbers", () => {
    const tensor: fc.Arbitrary<HostTensor> = fc
      .tuple(fc.constantFrom("f32" as const, "i32" as const), fc.array(fc.nat({ max: 4 }), { maxLength: 3 }))
      .chain(([dtype, shape]) => {
        const length = shape.reduce((product, n) => product * n, 1);
        const size = { minLength: length, maxLength: length };
        const numbers = dtype === "f32" ? fc.float32Array(size) : fc.int32Array(size);
        return numbers.map((data) => ({ dtype, shape, data: data as HostTensor["data"] }));
      });
    const name = fc.string({ unit: "grapheme" }).filter((text) => text !== "__metadata__");
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 5 }),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
        (tensors, metadata) => {
          const file = decodeSafetensors(encodeSafetensors(tensors, { metadata }));
          expect({ ...file.metadata }).toEqual({ ...metadata });
          expect(file.tensors.size).toBe(tensors.length);
          for (const [key, { dtype, shape, data }] of tensors) {
            expect(file.tensors.get(key)).toMatchObject({ dtype, shape });
            const [read, written] = [file.tensors.get(key)!.data, data].map(
              (numbers) => new Uint8Array(numbers.buffer),
            );
            expect(read).toEqual(written);
          }
        },
      ),
    );
  });

  test("reads bf16 and f16 as f32, exactly", () => {
    const bytes = fileOf(`{"b":${entry("BF16", [3], [0, 6])},"h":${entry("F16", [7], [6, 20])}}`, 20);
    const halves = [0x3f80, 0xc0a0, 0x7f80, 0x3c00, 0xc500, 0x0001, 0x8000, 0x7c00, 0x7bff, 0x3555];
    const view = new DataView(bytes.buffer, bytes.length - 20);
    for (const [i, half] of halves.entries()) view.setUint16(2 * i, half, true);
    const { tensors } = decodeSafetensors(bytes);
    expect([...tensors.get("b")!.data]).toEqual([1, -5, Infinity]);
    expect([...tensors.get("h")!.data]).toEqual([1, -5, 2 ** -24, -0, Infinity, 65504, 0.333251953125]);
    expect(tensors.get("h")!.storedDtype).toBe("F16");
  });

  test("reads a Node Buffer, whose slice() is no copy", () => {
    const file = encodeSafetensors([
      ["a", { dtype: "i32", shape: [1], data: new Int32Array([3]) }],
      ["b", { dtype: "i32", shape: [2], data: new Int32Array([7, -8]) }],
    ]);
    expect([...decodeSafetensors(Buffer.from(file)).tensors.get("b")!.data]).toEqual([7, -8]);
  });

  test("reads a file that begins at an odd address", () => {
    const file = encodeSafetensors([["w", { dtype: "i32", shape: [2], data: new Int32Array([7, -8]) }]]);
    const odd = new Uint8Array(file.length + 1);
    odd.set(file, 1);
    expect([...decodeSafetensors(odd.subarray(1)).tensors.get("w")!.data]).toEqual([7, -8]);
  });

  test.each([
    { bytes: new Uint8Array(3), message: "x: the file has 3 bytes; it must have at least 8, the header's length." },
    {
      bytes: new Uint8Array([0, 0, 0, 0, 1, 0, 0, 0, 0x7b]),
      message:
        "x: the header has 4294967296 bytes; the limit is 1000 (maxHeaderBytes). It is probably not a safetensors file.",
    },
    {
      bytes: new Uint8Array([9, 0, 0, 0, 0, 0, 0, 0, 0x7b]),
      message:
        "x: the header has 9 bytes, but only 1 follow its length; the file must hold it whole. It is probably cut off.",
    },
    { bytes: fileOf(" {}"), message: 'x: the header does not begin with "{"; it must be a JSON object.' },
    { bytes: fileOf(`{"a":1`), message: /^x: the header is not JSON in UTF-8 \(.+\); it must be\.$/ },
    { bytes: fileOf("{\u00ff}"), message: /^x: the header is not JSON in UTF-8/ },
    {
      bytes: fileOf(`{"a":${entry("F32", [1], [0, 4])},"\\u0061":${entry("F32", [1], [0, 4])}}`, 4),
      message: 'x: the header names "a" twice; names must be unique.',
    },
    { bytes: fileOf(`{"__metadata__":[]}`), message: "x: __metadata__ is []; it must be an object of strings." },
    { bytes: fileOf(`{"__metadata__":{"k":1}}`), message: 'x: __metadata__ "k" is 1; it must be a string.' },
    {
      bytes: fileOf(`{"a":null}`),
      message: 'x: tensor "a" is null; it must be an object with dtype, shape and data_offsets.',
    },
    {
      bytes: fileOf(`{"a":{"size":3}}`),
      message: 'x: tensor "a" has a field "size"; the fields must be dtype, shape and data_offsets.',
    },
    {
      bytes: fileOf(`{"a":${entry("F64", [1], [0, 8])}}`, 8),
      message: 'x: tensor "a" has dtype "F64"; it must be one of F32, I32, BF16, F16, U8, BOOL.',
    },
    {
      bytes: fileOf(`{"a":${entry("toString", [1], [0, 8])}}`, 8),
      message: 'x: tensor "a" has dtype "toString"; it must be one of F32, I32, BF16, F16, U8, BOOL.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [-1], [0, 4])}}`, 4),
      message: 'x: tensor "a" has shape [-1]; it must be a list of whole numbers of at least 0.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [2 ** 30, 2 ** 30], [0, 4])}}`, 4),
      message: 'x: tensor "a" has shape [1073741824,1073741824]; its bytes must be countable (below 2^53).',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [1], [4, 0])}}`, 4),
      message: 'x: tensor "a" has data_offsets [4,0]; they must be two whole numbers [begin, end] with begin <= end.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [2, 3], [0, 20])}}`, 20),
      message:
        'x: tensor "a" has shape [2,3] of F32, which is 24 bytes, but data_offsets [0,20] hold 20; they must be equal.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [2], [0, 8])}}`, 4),
      message: 'x: tensor "a" ends at byte 8 of the data; the file has 4. It is probably cut off.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [2], [0, 8])},"b":${entry("F32", [2], [4, 12])}}`, 12),
      message:
        'x: tensor "b" begins at byte 4 of the data and overlaps the tensor before it; it must begin at 8, where the one before it ends.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [1], [0, 4])},"b":${entry("F32", [1], [8, 12])}}`, 12),
      message:
        'x: tensor "b" begins at byte 8 of the data and leaves a hole before it; it must begin at 4, where the one before it ends.',
    },
    {
      bytes: fileOf(`{"a":${entry("F32", [1], [0, 4])}}`, 5),
      message: "x: the tensors end at byte 4 of the data, but the file has 5; nothing must follow them.",
    },
  ])("refuses: $message", ({ bytes, message }) => {
    const expected = typeof message === "string" ? message : expect.stringMatching(message);
    expect(() => decodeSafetensors(bytes, { source: "x", maxHeaderBytes: 1000 })).toThrow(
      expect.objectContaining({ name: "FormatError", code: "E_FORMAT", message: expected }),
    );
  });

  test("only ever throws FormatError, for any bytes", () => {
    const onlyFormatError = (bytes: Uint8Array) => {
      try {
        decodeSafetensors(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), onlyFormatError));
    fc.assert(
      fc.property(fc.json(), fc.nat({ max: 16 }), (json, dataBytes) => onlyFormatError(fileOf(json, dataBytes))),
    );
    const anyEntry = fc.record(
      {
        dtype: fc.oneof(fc.constantFrom("F32", "F16", "I32", "U8"), fc.jsonValue()),
        shape: fc.oneof(fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), fc.jsonValue()),
        data_offsets: fc.oneof(fc.tuple(fc.nat({ max: 40 }), fc.nat({ max: 40 })), fc.jsonValue()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anyEntry), fc.nat({ max: 40 }), (entries, dataBytes) =>
        onlyFormatError(fileOf(JSON.stringify(entries), dataBytes)),
      ),
    );
  });

  test("only ever throws FormatError when one byte of a good file is changed", () => {
    const good = encodeSafetensors(
      [
        ["layer.weight", { dtype: "f32", shape: [2, 2], data: new Float32Array(4) }],
        ["ids", { dtype: "i32", shape: [3], data: new Int32Array(3) }],
      ],
      { metadata: { format: "lockstep" } },
    );
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (place, byte) => {
        const bad = good.slice();
        bad[place] = byte;
        try {
          decodeSafetensors(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 500 },
    );
  });

  const one = { dtype: "f32" as const, shape: [1], data: new Float32Array(1) };
  test.each([
    {
      tensors: [["__metadata__", one]] as const,
      message: 'encodeSafetensors: a tensor is named "__metadata__"; the format keeps that name for itself.',
    },
    {
      tensors: [
        ["a", one],
        ["a", one],
      ] as const,
      message: 'encodeSafetensors: two tensors are named "a"; names must be unique.',
    },
    {
      tensors: [["a", { ...one, shape: [2, 2] }]] as const,
      message:
        'encodeSafetensors: tensor "a" has shape [2,2], which is 4 elements, but its data has 1; they must be equal.',
    },
  ])("does not write: $message", ({ tensors, message }) => {
    expect(() => encodeSafetensors(tensors)).toThrow(expect.objectContaining({ name: "ValueError", message }));
  });
});
