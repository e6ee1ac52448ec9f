import { CollectiveError } from "../errors.js";
import { frameRefusedError, PendingCollective } from "../group/pending-collective.js";
import type { ProcessGroup } from "../group/process-group.js";
import { bytesOf } from "../transport/transport.js";
import { type CollectiveOptions, headerAt, nextPlace } from "./collective-options.js";

export interface IntegerReduceOptions extends CollectiveOptions {
  readonly op: "sum" | "max";
}

/**
 * Sum or maximum of integers over all ranks, on every rank.
 *
 * Integers only: their sum is the same in any order. Floats are summed on the micro-batch tree (`treeReduceScatter`).
 *
 * @shape values [n], the same n on every rank -> [n]
 * @numerics exact; values and results must be safe integers.
 * @throws {CollectiveError} E_ARGUMENT for a number that is not a safe integer, E_PEER_LOST, E_PEER_TIMEOUT,
 *   E_GENERATION_CHANGED, E_FRAME_REFUSED when a rank gives another count.
 * @source none: ours
 */
export async function allReduceIntegers(
  values: readonly number[],
  group: ProcessGroup,
  options: IntegerReduceOptions,
): Promise<number[]> {
  assertIntegers("values", values);
  const rows = await exchangeRows(values, group, options);
  const reduced = values.map((_, i) =>
    rows.reduce(
      (a, row) => (options.op === "sum" ? a + row[i]! : Math.max(a, row[i]!)),
      options.op === "sum" ? 0 : -Infinity,
    ),
  );
  assertIntegers("the result", reduced);
  return reduced.map((value) => value + 0); // -0 becomes 0
}

/**
 * Returns when every rank has called it.
 *
 * @shape nothing
 * @throws {CollectiveError} E_PEER_LOST, E_PEER_TIMEOUT, E_GENERATION_CHANGED.
 * @source none: ours
 */
export async function barrier(group: ProcessGroup, options: CollectiveOptions = {}): Promise<void> {
  await exchangeRows([], group, options);
}

/** Every rank's row of numbers, by rank. */
function exchangeRows(
  row: readonly number[],
  group: ProcessGroup,
  options: CollectiveOptions,
): Promise<(readonly number[])[]> {
  const kind = row.length === 0 ? "barrier" : "integers";
  const place = nextPlace(group);
  const rows: (readonly number[] | undefined)[] = new Array(group.worldSize).fill(undefined);
  rows[group.rank] = row;
  const finish = (): void => {
    if (rows.includes(undefined)) return;
    pending.flushed().then(() => pending.resolve(rows as (readonly number[])[]));
  };
  const pending = new PendingCollective<(readonly number[])[]>(group, {
    where: kind === "barrier" ? "barrier" : "allReduceIntegers",
    place,
    deadlineMs: options.deadlineMs,
    signal: options.signal,
    findDebt: (rank) => {
      const debtor = rows.findIndex((r, i) => r === undefined && (rank === undefined || i === rank));
      return debtor < 0 ? undefined : { rank: debtor, bucket: 0, numBuckets: 1 };
    },
    onFrame: (rank, { header, payload }) => {
      if (header.kind !== kind || payload.byteLength !== 8 * row.length || rows[rank] !== undefined) {
        const sender = { rank, workerId: group.members[rank]! };
        throw frameRefusedError(
          pending.place,
          sender,
          `${header.kind} of ${payload.byteLength} bytes, not ${kind} of ${8 * row.length} once`,
        );
      }
      const numbers = new Float64Array(row.length);
      bytesOf(numbers).set(payload);
      rows[rank] = [...numbers];
      finish();
    },
  });
  pending.open();
  const payload = bytesOf(Float64Array.from(row));
  for (let rank = 0; rank < group.worldSize; rank++) {
    if (rank === group.rank) continue;
    pending.send(rank, { header: { ...headerAt(place, kind, group.rank), elementCount: 2 * row.length }, payload });
  }
  finish();
  return pending.done;
}

function assertIntegers(what: string, values: readonly number[]): void {
  const at = values.findIndex((value) => !Number.isSafeInteger(value));
  if (at < 0) return;
  throw new CollectiveError(
    "E_ARGUMENT",
    `allReduceIntegers: element ${at} of ${what} is ${values[at]}; it must be a safe integer. Sum floats on the tree (treeReduceScatter).`,
    { index: at, value: values[at] },
  );
}
