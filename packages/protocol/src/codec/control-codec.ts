/**
 * @file Encodes and decodes control messages: what the coordinator and a worker tell each other.
 *
 * A control frame is 8 bytes little-endian, then one MessagePack map:
 *
 *   0 u8 0x4c 'L' · 1 u8 0x43 'C' · 2 u16 PROTOCOL_VERSION · 4 u16 tag · 6 u16 zero · 8.. body
 *
 * The body is checked three times: its length against the message's own limit, its structure by `assertPlainMsgpack`
 * before anything is built, its meaning by the message's schema. Bulk data never travels here.
 */
import { Packr } from "msgpackr";
import type * as z from "zod";
import { ProtocolError } from "../errors.js";
import { type ProtocolLimits, protocolLimits } from "../limits.js";
import { PROTOCOL_VERSION } from "../version.js";
import { assertPlainMsgpack } from "./msgpack-guard.js";

export const CONTROL_HEADER_BYTES = 8;
const MAGIC_0 = 0x4c;
const MAGIC_1 = 0x43;

export type MessageDirection = "workerToCoordinator" | "coordinatorToWorker" | "both";

/** One row of the message table. */
export interface MessageDefinition<
  Name extends string = string,
  Schema extends z.ZodType = z.ZodType,
  Direction extends MessageDirection = MessageDirection,
> {
  /** 1..65535, never given to another message. Changing it needs a new PROTOCOL_VERSION. */
  readonly tag: number;
  readonly name: Name;
  /** Who may send it. */
  readonly direction: Direction;
  readonly schema: Schema;
  /** Bytes of the whole frame. */
  readonly maxBytes: number;
  /** First version that knows the message. */
  readonly since: number;
  /** What it says, one line for docs/protocol.md. */
  readonly doc: string;
}

/** Keeps the literal name and the schema's type. */
export function defineMessage<
  const Name extends string,
  Schema extends z.ZodType,
  const Direction extends MessageDirection,
>(definition: MessageDefinition<Name, Schema, Direction>): MessageDefinition<Name, Schema, Direction> {
  return Object.freeze({ ...definition });
}

/** `{ name, body }` of every message of a table, as a union discriminated by `name`. */
export type ControlMessage<Table extends readonly MessageDefinition[]> = {
  [Row in keyof Table]: Table[Row] extends MessageDefinition<infer Name, infer Schema>
    ? { readonly name: Name; readonly body: z.output<Schema> }
    : never;
}[number];

/** What `encodeControl` takes as the body of the message called `Name`. */
export type ControlBody<Table extends readonly MessageDefinition[], Name extends Table[number]["name"]> = z.input<
  Extract<Table[number], { readonly name: Name }>["schema"]
>;

export interface ControlCodec<Table extends readonly MessageDefinition[]> {
  readonly table: Table;
  /** @throws {ProtocolError} E_MESSAGE_BODY when the body breaks the schema, E_FRAME_TOO_LARGE past `maxBytes`. */
  encodeControl<Name extends Table[number]["name"]>(name: Name, body: ControlBody<Table, Name>): Uint8Array;
  /**
   * @param sender who sent the bytes: a message that this side may not send is refused before its body is read.
   * @throws {ProtocolError} and nothing else, whatever the bytes.
   */
  decodeControl(bytes: Uint8Array, sender: "worker" | "coordinator"): ControlMessage<Table>;
}

/** @throws {ProtocolError} E_MESSAGE_TABLE when two rows share a tag or a name, or a tag is out of range. */
export function createControlCodec<const Table extends readonly MessageDefinition[]>(
  table: Table,
  limits: ProtocolLimits = protocolLimits,
): ControlCodec<Table> {
  const byTag = new Map<number, MessageDefinition>();
  const byName = new Map<string, MessageDefinition>();
  for (const row of table) {
    assertRow(row, byTag, byName);
    byTag.set(row.tag, row);
    byName.set(row.name, row);
  }
  // Records, structured clones and extension types off: every peer reads plain MessagePack.
  const packr = new Packr({ useRecords: false, int64AsType: "number", skipValues: [undefined] } as object);

  const encodeControl = (name: string, body: unknown): Uint8Array => {
    const row = byName.get(name);
    if (row === undefined) {
      throw new ProtocolError("E_MESSAGE_TAG", `protocol: there is no message "${name}" in the table.`, { name });
    }
    const packed = packr.pack(parseBody(row, body));
    const frame = new Uint8Array(CONTROL_HEADER_BYTES + packed.byteLength);
    assertSize(frame.byteLength, row);
    const view = new DataView(frame.buffer);
    view.setUint8(0, MAGIC_0);
    view.setUint8(1, MAGIC_1);
    view.setUint16(2, PROTOCOL_VERSION, true);
    view.setUint16(4, row.tag, true);
    frame.set(packed, CONTROL_HEADER_BYTES);
    return frame;
  };

  const decodeControl = (bytes: Uint8Array, sender: "worker" | "coordinator") => {
    const row = readRow(bytes, byTag);
    const isAllowed =
      row.direction === "both" ||
      row.direction === (sender === "worker" ? "workerToCoordinator" : "coordinatorToWorker");
    if (!isAllowed) {
      throw new ProtocolError(
        "E_MESSAGE_DIRECTION",
        `protocol: a ${sender} sent "${row.name}"; only ${row.direction} is legal for this message.`,
        { name: row.name, sender, direction: row.direction },
      );
    }
    assertSize(bytes.byteLength, row);
    const packed = bytes.subarray(CONTROL_HEADER_BYTES);
    assertPlainMsgpack(packed, { maxDepth: limits.maxControlDepth, maxItems: limits.maxControlItems });
    return { name: row.name, body: parseBody(row, unpack(packr, packed, row.name)) };
  };

  return { table, encodeControl, decodeControl: decodeControl as ControlCodec<Table>["decodeControl"] };
}

function assertRow(
  row: MessageDefinition,
  byTag: ReadonlyMap<number, MessageDefinition>,
  byName: ReadonlyMap<string, MessageDefinition>,
): void {
  if (!Number.isInteger(row.tag) || row.tag < 1 || row.tag > 0xffff) {
    throw new ProtocolError("E_MESSAGE_TABLE", `protocol: "${row.name}" has tag ${row.tag}; a tag must be 1..65535.`, {
      name: row.name,
      tag: row.tag,
    });
  }
  const other = byTag.get(row.tag) ?? byName.get(row.name);
  if (other !== undefined) {
    throw new ProtocolError(
      "E_MESSAGE_TABLE",
      `protocol: "${row.name}" (tag ${row.tag}) and "${other.name}" (tag ${other.tag}) collide; tags and names must be unique.`,
      { names: [row.name, other.name], tags: [row.tag, other.tag] },
    );
  }
}

function readRow(bytes: Uint8Array, byTag: ReadonlyMap<number, MessageDefinition>): MessageDefinition {
  if (bytes.byteLength < CONTROL_HEADER_BYTES) {
    throw new ProtocolError(
      "E_FRAME_LENGTH",
      `protocol: a control message has ${bytes.byteLength} bytes; its header alone must have ${CONTROL_HEADER_BYTES}.`,
      { byteLength: bytes.byteLength },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== MAGIC_0 || view.getUint8(1) !== MAGIC_1) {
    const magic = view.getUint16(0).toString(16).padStart(4, "0");
    throw new ProtocolError("E_FRAME_MAGIC", `protocol: a control message begins with 0x${magic}; it must be 0x4c43.`, {
      magic,
    });
  }
  const version = view.getUint16(2, true);
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      "E_PROTOCOL_VERSION",
      `protocol: the peer speaks version ${version}, this side ${PROTOCOL_VERSION}; both must be the same. ` +
        "Install the same version of lockstep on both machines.",
      { peerVersion: version, ownVersion: PROTOCOL_VERSION },
    );
  }
  const tag = view.getUint16(4, true);
  const row = byTag.get(tag);
  if (row === undefined || view.getUint16(6, true) !== 0) {
    throw new ProtocolError(
      "E_MESSAGE_TAG",
      `protocol: tag ${tag} is not in the message table of version ${version}.`,
      {
        tag,
      },
    );
  }
  return row;
}

function assertSize(byteLength: number, row: MessageDefinition): void {
  if (byteLength <= row.maxBytes) return;
  throw new ProtocolError(
    "E_FRAME_TOO_LARGE",
    `protocol: "${row.name}" has ${byteLength} bytes; the limit of this message is ${row.maxBytes}.`,
    { name: row.name, byteLength, maxBytes: row.maxBytes },
  );
}

function unpack(packr: Packr, packed: Uint8Array, name: string): unknown {
  try {
    return packr.unpack(packed);
  } catch (cause) {
    throw new ProtocolError(
      "E_MESSAGE_PACK",
      `protocol: the body of "${name}" is not MessagePack: ${String(cause)}.`,
      { name },
      { cause },
    );
  }
}

function parseBody(row: MessageDefinition, body: unknown): unknown {
  const result = row.schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = (issue?.path ?? []).map(String).join(".") || "body";
  throw new ProtocolError(
    "E_MESSAGE_BODY",
    `protocol: "${row.name}" breaks its schema at ${path}: ${issue?.message}.`,
    {
      name: row.name,
      path,
    },
  );
}
