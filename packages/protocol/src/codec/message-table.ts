import type { MessageDefinition } from "./control-codec.js";

/**
 * The message table as lines of text, one a message in the order of the tags, for a snapshot: a change of the table
 * without a new PROTOCOL_VERSION then fails a test.
 */
export function messageTable(table: readonly MessageDefinition[]): string {
  return [...table]
    .sort((a, b) => a.tag - b.tag)
    .map((row) => `${row.tag} ${row.name} ${row.direction} ${row.maxBytes} since ${row.since}`)
    .join("\n");
}
