import type { LinkCounters } from "./transport.js";

/** Counters of many links, by peer. */
export class CounterTable {
  private readonly rows = new Map<string, { -readonly [Name in keyof LinkCounters]: number }>();

  sent(peerId: string, numBytes: number): void {
    const row = this.row(peerId);
    row.framesSent++;
    row.bytesSent += numBytes;
  }

  received(peerId: string, numBytes: number): void {
    const row = this.row(peerId);
    row.framesReceived++;
    row.bytesReceived += numBytes;
  }

  read(peerId: string): LinkCounters {
    return { ...this.row(peerId) };
  }

  private row(peerId: string) {
    let row = this.rows.get(peerId);
    if (row === undefined) {
      row = { bytesSent: 0, bytesReceived: 0, framesSent: 0, framesReceived: 0 };
      this.rows.set(peerId, row);
    }
    return row;
  }
}
