import { ByteReader } from "./byte-reader.js";
import type { DecodeOptions } from "./file-error.js";

type IdxValues = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** An array of any number of dims. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major, in the type of the file. */
  readonly values: IdxValues;
}

interface IdxType {
  readonly bytes: number;
  readonly create: (length: number) => IdxValues;
  readonly read: (view: DataView, at: number) => number;
}

/** By the third byte of the file. Numbers are big-endian. */
const typesByCode: Readonly<Record<number, IdxType>> = {
  8: { bytes: 1, create: (length) => new Uint8Array(length), read: (view, at) => view.getUint8(at) },
  9: { bytes: 1, create: (length) => new Int8Array(length), read: (view, at) => view.getInt8(at) },
  11: { bytes: 2, create: (length) => new Int16Array(length), read: (view, at) => view.getInt16(at) },
  12: { bytes: 4, create: (length) => new Int32Array(length), read: (view, at) => view.getInt32(at) },
  13: { bytes: 4, create: (length) => new Float32Array(length), read: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, create: (length) => new Float64Array(length), read: (view, at) => view.getFloat64(at) },
};

/**
 * An IDX file, as MNIST and its relatives come in.
 *
 * @throws {FormatError} E_FILE_FORMAT with file and byte: another magic number (a file that is still compressed by gzip is named), an
 *   unknown type, fewer or more bytes than the header promises.
 * @source yann.lecun.com/exdb/mnist, "the IDX file format"
 * @example
 * decodeIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)).values; // => Uint8Array [7, 9]
 */
export function decodeIdx(bytes: Uint8Array, options: DecodeOptions = {}): IdxArray {
  const reader = new ByteReader("decodeIdx", bytes, options);
  const { view } = reader;
  reader.take(4, "the magic number");
  if (view.getUint16(0) === 0x1f8b) {
    throw reader.error("is compressed by gzip", "it must be the IDX file itself. Run gunzip on it.", {}, 0);
  }
  const type = typesByCode[view.getUint8(2)];
  const numDims = view.getUint8(3);
  if (view.getUint16(0) !== 0 || type === undefined) {
    const magic = view.getUint32(0).toString(16).padStart(8, "0");
    throw reader.error(
      `has the magic number 0x${magic}`,
      "it must be 0x0000TTDD with type TT 08, 09, 0b, 0c, 0d or 0e and DD dims.",
      { magic },
      0,
    );
  }
  const shapeAt = reader.take(4 * numDims, "the shape");
  const shape = Array.from({ length: numDims }, (_, d) => view.getUint32(shapeAt + 4 * d));
  const length = shape.reduce((product, n) => product * n, 1);
  const begin = reader.take(length * type.bytes, `an array of shape [${shape.join(", ")}]`);
  if (reader.numBytesLeft > 0) {
    throw reader.error(
      `has ${reader.numBytesLeft} bytes more`,
      `an array of shape [${shape.join(", ")}] must end here.`,
      { numBytes: view.byteLength, shape },
    );
  }
  const values = type.create(length);
  for (let i = 0; i < length; i++) values[i] = type.read(view, begin + i * type.bytes);
  return { shape, values };
}
