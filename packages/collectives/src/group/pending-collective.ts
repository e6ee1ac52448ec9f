/**
 * @file What every collective has: a place among the frames, a deadline, an abort, peers that may be lost, one outcome.
 *
 * Not here: what the frames mean. The outcome is decided once; later calls of `resolve` and `fail` change nothing.
 */
import type { BulkHeader } from "@lockstep/protocol";
import {
  CollectiveError,
  type CollectivePlace,
  generationChangedError,
  peerLostError,
  peerTimeoutError,
} from "../errors.js";
import type { BulkFrame } from "../transport/transport.js";
import type { FramePlace } from "./frame-router.js";
import type { ProcessGroup } from "./process-group.js";

/** What a rank still owes. */
export interface Debt {
  readonly rank: number;
  readonly bucket: number;
  readonly numBuckets: number;
}

export interface PendingCollectiveOptions {
  readonly where: string;
  readonly place: FramePlace;
  readonly deadlineMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What is missing from others, from `rank` if given; undefined when nothing is. */
  readonly findDebt: (rank?: number) => Debt | undefined;
  readonly onFrame: (rank: number, frame: BulkFrame) => void;
  /** Memory for a payload that is on its way; it is wanted until the collective is over. */
  readonly findMemory?: (rank: number, header: BulkHeader) => Uint8Array | undefined;
  /** Called once with the outcome, before the promise settles. */
  readonly onEnd?: () => void;
}

export class PendingCollective<Result> {
  readonly done: Promise<Result>;
  readonly place: CollectivePlace;
  private readonly group: ProcessGroup;
  private readonly options: PendingCollectiveOptions;
  private readonly cleanups: (() => void)[] = [];
  private readonly sends: Promise<void>[] = [];
  private settle: { resolve: (result: Result) => void; reject: (error: unknown) => void } | undefined;
  private sendFailure: { readonly rank: number; readonly error: unknown } | undefined;
  private numBytesSent = 0;
  private firstSendAtMs: number | undefined;

  constructor(group: ProcessGroup, options: PendingCollectiveOptions) {
    this.group = group;
    this.options = options;
    const { where, place, signal } = options;
    this.place = { where, step: place.step, generation: place.generation, worldSize: group.worldSize };
    this.done = new Promise<Result>((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    this.done.catch(() => {}); // whoever awaits it gets the error; nobody has to
    const deadlineMs = options.deadlineMs ?? group.deadlineMs;
    this.cleanups.push(group.clock.schedule(deadlineMs, () => this.expire(deadlineMs)));
    if (signal !== undefined) {
      const onAbort = (): void => this.fail(errorOfSignal(this.place, signal));
      signal.addEventListener("abort", onAbort, { once: true });
      this.cleanups.push(() => signal.removeEventListener("abort", onAbort));
    }
    this.cleanups.push(group.onClose((error) => this.fail(generationChangedError(this.place, error.message))));
    if (signal?.aborted === true) this.fail(errorOfSignal(this.place, signal));
  }

  /** Begins to take frames: call it when the collective's state is ready for them. */
  open(): void {
    if (this.isOver) return;
    this.cleanups.push(() => this.group.router.close(this.options.place));
    this.group.router.open(this.options.place, {
      place: (rank, header) => {
        const memory = this.isOver ? undefined : this.options.findMemory?.(rank, header);
        return memory === undefined ? undefined : { memory, isWanted: () => !this.isOver };
      },
      onFrame: (rank, frame) => this.guard(() => this.options.onFrame(rank, frame)),
      onPeerLost: (rank, reason) => this.lose(rank, reason),
    });
  }

  get isOver(): boolean {
    return this.settle === undefined;
  }

  get bytesSent(): number {
    return this.numBytesSent;
  }

  get firstFrameSentAtMs(): number | undefined {
    return this.firstSendAtMs;
  }

  /** The payload must not change before `flushed`. */
  send(rank: number, frame: BulkFrame): void {
    if (this.isOver) return;
    this.firstSendAtMs ??= this.group.clock.nowMs();
    this.numBytesSent += frame.payload.byteLength + BULK_FRAME_OVERHEAD;
    const sent = this.group.router.transport
      .send(this.group.members[rank]!, frame, { isCancelled: () => this.isOver })
      .catch((error: unknown) => {
        // Who is owed nothing more by that peer is not hurt by its loss.
        this.sendFailure ??= { rank, error };
        if (this.options.findDebt(rank) !== undefined) this.lose(rank, messageOf(error));
      });
    this.sends.push(sent);
  }

  /** Resolves when every frame's memory is free again. */
  async flushed(): Promise<void> {
    await Promise.all(this.sends);
  }

  resolve(result: Result): void {
    this.end((settle) => settle.resolve(result));
  }

  fail(error: unknown): void {
    this.end((settle) => settle.reject(error));
  }

  /** Runs a step of the collective; what it throws is the outcome. */
  guard(action: () => void): void {
    if (this.isOver) return;
    try {
      action();
    } catch (error) {
      this.fail(error);
    }
  }

  private lose(rank: number, reason: string): void {
    if (this.isOver || this.options.findDebt(rank) === undefined) return;
    this.fail(peerLostError(this.place, { rank, workerId: this.group.members[rank]!, reason }));
  }

  private expire(deadlineMs: number): void {
    const debt = this.options.findDebt();
    if (debt === undefined) {
      const rank = this.sendFailure?.rank ?? this.group.rank;
      this.fail(
        new CollectiveError(
          "E_PEER_TIMEOUT",
          `${this.place.where}: step ${this.place.step} is complete here, but its frames were not taken within ${deadlineMs} ms.`,
          { ...this.place, rank, workerId: this.group.members[rank], deadlineMs },
        ),
      );
      return;
    }
    this.fail(peerTimeoutError(this.place, { ...debt, workerId: this.group.members[debt.rank]!, deadlineMs }));
  }

  private end(
    outcome: (settle: { resolve: (result: Result) => void; reject: (error: unknown) => void }) => void,
  ): void {
    const settle = this.settle;
    if (settle === undefined) return;
    this.settle = undefined;
    for (const cleanup of this.cleanups.splice(0)) cleanup();
    this.options.onEnd?.();
    outcome(settle);
  }
}

const BULK_FRAME_OVERHEAD = 88;

/** A frame that contradicts the plan: who sent it, of which node, and what it must have been. */
export function frameRefusedError(
  place: CollectivePlace,
  sender: { rank: number; workerId: string; node?: { readonly lo: number; readonly hi: number } },
  what: string,
) {
  return new CollectiveError(
    "E_FRAME_REFUSED",
    `${place.where}: rank ${sender.rank} (worker "${sender.workerId}") sent ${what} (step ${place.step}, generation ${place.generation}). ` +
      "The frame is refused before it is added; the step is not applied.",
    { ...place, ...sender },
  );
}

/** The four fields by which a header names its place. */
export function placeFields(place: FramePlace): Pick<BulkHeader, "stream" | "generation" | "step" | "attempt"> {
  return { stream: place.stream, generation: place.generation, step: place.step, attempt: place.attempt };
}

function errorOfSignal(place: CollectivePlace, signal: AbortSignal): unknown {
  if (signal.reason instanceof CollectiveError) return signal.reason;
  return generationChangedError(place, messageOf(signal.reason));
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
