/**
 * @file Which ticket belongs to which worker. Looking one up takes the same time whether or not it is there.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export class TicketBook {
  private digests: { readonly workerId: string; readonly digest: Buffer }[] = [];

  /** Replaces all tickets: those of an earlier generation no longer open anything. */
  set(tickets: Iterable<{ readonly workerId: string; readonly ticket: string }>): void {
    this.digests = [...tickets].map(({ workerId, ticket }) => ({ workerId, digest: digestOf(ticket) }));
  }

  /** The worker whose ticket this is, or undefined. */
  findWorker(ticket: string): string | undefined {
    const digest = digestOf(ticket);
    let found: string | undefined;
    for (const row of this.digests) {
      if (timingSafeEqual(row.digest, digest)) found = row.workerId;
    }
    return found;
  }
}

function digestOf(ticket: string): Buffer {
  return createHash("sha256").update(ticket).digest();
}
