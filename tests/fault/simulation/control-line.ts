/**
 * @file The control channel between a simulated worker and a simulated coordinator: ordered both ways, with delays, heartbeats, silence;
 * it can be cut (both ends notice), or hold everything back (nobody does, until a deadline).
 */
import type { SimNetwork } from "@lockstep/collectives/testing";
import type { CoordinatorMessage, MessageBody, WorkerMessage } from "@lockstep/protocol";
import type { Gate } from "./gate.js";

type BlobRef = { readonly sha256: string; readonly byteLength: number };

/** What the coordinator's process does with a line. */
export interface LineEnd {
  readonly gate: Gate;
  /** By sha256; lives as long as the process. */
  readonly blobs: Map<string, Uint8Array>;
  onHello(line: ControlLine, hello: MessageBody<"hello">): void;
  onMessage(line: ControlLine, message: WorkerMessage): void;
  onHeard(line: ControlLine): void;
  onClosed(line: ControlLine, reason: string): void;
}

const heartbeatMs = 200;
const silenceMs = 10_000;
const noticeMs = 2;

export class ControlLine {
  readonly workerId: string;
  readonly closed: Promise<{ readonly reason: string }>;
  readonly #network: SimNetwork;
  readonly #worker: Gate;
  readonly #end: LineEnd;
  readonly #early: CoordinatorMessage[] = [];
  #listener: ((message: CoordinatorMessage) => void) | undefined;
  #resolveClosed: (end: { readonly reason: string }) => void = () => {};
  #isOpen = true;
  #isSwallowing = false;
  readonly #held: (() => void)[] = [];
  #lastUpMs = 0;
  #lastDownMs = 0;
  #heardMs: number;
  readonly #waiting = new Set<(error: Error) => void>();

  constructor(network: SimNetwork, worker: { readonly id: string; readonly gate: Gate }, end: LineEnd) {
    this.#network = network;
    this.workerId = worker.id;
    this.#worker = worker.gate;
    this.#end = end;
    this.#heardMs = network.clock.nowMs();
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  hello(body: MessageBody<"hello">): void {
    this.#up(() => this.#end.onHello(this, structuredClone(body)));
    this.#beat();
    this.#listenForSilence();
  }

  send(message: WorkerMessage): void {
    const copy = structuredClone(message);
    this.#up(() => this.#end.onMessage(this, copy));
  }

  tell(message: CoordinatorMessage): void {
    const copy = structuredClone(message);
    this.#down(() => {
      if (this.#listener === undefined) this.#early.push(copy);
      else this.#listener(copy);
    });
  }

  onMessage(listener: (message: CoordinatorMessage) => void): void {
    this.#listener = listener;
    for (const message of this.#early.splice(0)) listener(message);
  }

  putBlob(bytes: Uint8Array, sha256: string): Promise<void> {
    const copy = bytes.slice();
    return this.#ask(() => void this.#end.blobs.set(sha256, copy));
  }

  fetchBlob({ sha256 }: BlobRef): Promise<Uint8Array> {
    return this.#ask(() => {
      const bytes = this.#end.blobs.get(sha256);
      if (bytes === undefined) throw new Error(`blob ${sha256} is not here`);
      return bytes.slice();
    });
  }

  async close(): Promise<void> {
    this.cut("closed by the worker");
  }

  /** Both ends notice, a moment later. What was under way is lost. */
  cut(reason: string): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const error = Object.assign(new Error(`control: ${reason}`), { code: "E_CONTROL_CLOSED" });
    this.#network.clock.schedule(noticeMs, () => this.#end.gate.run(() => this.#end.onClosed(this, reason)));
    this.#network.clock.schedule(noticeMs, () =>
      this.#worker.run(() => {
        for (const reject of this.#waiting) reject(error);
        this.#resolveClosed({ reason });
      }),
    );
  }

  /** Nothing arrives, and nobody is told; afterwards all of it does, in order, as TCP has it. */
  swallow(isSwallowing: boolean): void {
    this.#isSwallowing = isSwallowing;
    if (!isSwallowing) for (const deliver of this.#held.splice(0)) deliver();
  }

  #ask<T>(answer: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!this.#isOpen) {
        reject(Object.assign(new Error("control: closed"), { code: "E_CONTROL_CLOSED" }));
        return;
      }
      this.#waiting.add(reject);
      this.#up(() => {
        let result: T;
        try {
          result = answer();
        } catch (error) {
          this.#down(() => this.#settle(reject, () => reject(error)));
          return;
        }
        this.#end.onHeard(this);
        this.#down(() => this.#settle(reject, () => resolve(result)));
      });
    });
  }

  #settle(key: (error: Error) => void, settle: () => void): void {
    this.#waiting.delete(key);
    settle();
  }

  #up(deliver: () => void): void {
    this.#lastUpMs = this.#carry(this.#lastUpMs, this.#end.gate, deliver);
  }

  #down(deliver: () => void): void {
    this.#lastDownMs = this.#carry(this.#lastDownMs, this.#worker, () => {
      this.#heardMs = this.#worker.nowMs();
      deliver();
    });
  }

  /** In order: nothing overtakes what was sent before it. */
  #carry(lastMs: number, to: Gate, deliver: () => void): number {
    if (!this.#isOpen) return lastMs;
    const { clock, random, options } = this.#network;
    const [least, most] = options.controlDelayMs;
    const atMs = Math.max(lastMs, clock.nowMs() + least + random.next() * (most - least));
    const arrive = (): void => {
      if (this.#isSwallowing) this.#held.push(arrive);
      else to.run(() => (this.#isOpen ? deliver() : undefined));
    };
    clock.schedule(atMs - clock.nowMs(), arrive);
    return atMs;
  }

  #beat(): void {
    if (!this.#isOpen || this.#worker.isDead) return;
    this.#up(() => {
      this.#end.onHeard(this);
      this.#down(() => {});
    });
    this.#worker.schedule(heartbeatMs, () => this.#beat());
  }

  #listenForSilence(): void {
    const untilMs = this.#heardMs + silenceMs;
    this.#worker.schedule(Math.max(1, untilMs - this.#worker.nowMs()), () => {
      if (!this.#isOpen) return;
      if (this.#worker.nowMs() - this.#heardMs >= silenceMs) this.cut("the coordinator said nothing");
      else this.#listenForSilence();
    });
  }
}
