/**
 * @file A clock that stands still until the next event is executed.
 *
 * Events of one instant run in the order in which they were scheduled. Between two events pending promise reactions run.
 */
import type { Clock } from "../clock.js";

interface ScheduledEvent {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Promise reactions between two events: enough for chains of this depth. */
const SETTLE_TURNS = 50;

export interface VirtualClockOptions {
  /** Waits until everything that an event caused has happened; a test with real I/O passes its own. */
  readonly settle?: () => Promise<void>;
}

export class VirtualClock implements Clock {
  private readonly events: ScheduledEvent[] = []; // binary heap by (atMs, order)
  private readonly cancelled = new Set<number>();
  private readonly settle: () => Promise<void>;
  private timeMs = 0;
  private numScheduled = 0;

  constructor(options: VirtualClockOptions = {}) {
    this.settle = options.settle ?? settleMicrotasks;
  }

  nowMs(): number {
    return this.timeMs;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const order = this.numScheduled++;
    this.push({ atMs: this.timeMs + Math.max(0, delayMs), order, callback });
    return () => {
      this.cancelled.add(order);
    };
  }

  /** Executes the next event. False when there is none. */
  step(): boolean {
    for (;;) {
      const event = this.pop();
      if (event === undefined) return false;
      if (this.cancelled.delete(event.order)) continue;
      this.timeMs = event.atMs;
      event.callback();
      return true;
    }
  }

  /**
   * Executes events until the promise settles, and gives its value.
   *
   * @throws {Error} when no event is left and the promise still waits: somebody waits forever (L7).
   */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const watch = (): void => {
      isSettled = true;
    };
    promise.then(watch, watch);
    for (;;) {
      await this.settle();
      if (isSettled) return promise;
      if (!this.step()) throw new Error(`runUntil: no event is left at ${this.timeMs} ms and the promise still waits.`);
    }
  }

  /** Executes all events up to and including `untilMs`. */
  async runTo(untilMs: number): Promise<void> {
    await this.settle();
    for (let next = this.peekMs(); next !== undefined && next <= untilMs; next = this.peekMs()) {
      this.step();
      await this.settle();
    }
    this.timeMs = Math.max(this.timeMs, untilMs);
  }

  private peekMs(): number | undefined {
    while (this.events.length > 0 && this.cancelled.has(this.events[0]!.order))
      this.cancelled.delete(this.pop()!.order);
    return this.events[0]?.atMs;
  }

  private push(event: ScheduledEvent): void {
    let at = this.events.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, this.events[parent]!)) break;
      this.events[at] = this.events[parent]!;
      at = parent;
    }
    this.events[at] = event;
  }

  private pop(): ScheduledEvent | undefined {
    const first = this.events[0];
    const last = this.events.pop();
    if (first === undefined || last === undefined || first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.events.length) break;
      if (child + 1 < this.events.length && isBefore(this.events[child + 1]!, this.events[child]!)) child++;
      if (!isBefore(this.events[child]!, last)) break;
      this.events[at] = this.events[child]!;
      at = child;
    }
    this.events[at] = last;
    return first;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

async function settleMicrotasks(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await undefined;
}
