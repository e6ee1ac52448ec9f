/**
 * @file One direction of a simulated connection: frames leave in order, travel for a random time, arrive in order.
 */
import { CollectiveError } from "../errors.js";
import { SendWindow } from "../transport/send-window.js";
import type { SendOptions } from "../transport/transport.js";
import type { SimNetwork } from "./sim-network.js";

export interface SimLinkOptions {
  readonly delayMs: readonly [number, number];
  readonly deliver: (bytes: Uint8Array) => void;
}

export class SimLink {
  private readonly network: SimNetwork;
  private readonly options: SimLinkOptions;
  private readonly window: SendWindow;
  private readonly arrived: Uint8Array[] = [];
  private readonly stalled: (() => void)[] = [];
  /** Of frames that left and are not delivered: a socket's two buffers and the wire. */
  private undeliveredBytes = 0;
  private leavesAtMs = 0;
  private arrivesAtMs = 0;
  private isHeld = false;
  private isClosed = false;

  constructor(network: SimNetwork, options: SimLinkOptions) {
    this.network = network;
    this.options = options;
    this.window = new SendWindow(network.options.maxInFlightBytesPerPeer);
  }

  send(parts: readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    const numBytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    return this.window.send(numBytes, () => this.write(parts, numBytes), options);
  }

  /** Holds arrived frames back, or lets them go on. */
  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    this.drain();
  }

  close(reason: string): void {
    this.isClosed = true;
    this.window.close(new CollectiveError("E_PEER_LOST", `send: the link is closed: ${reason}.`, { reason }));
  }

  private write(parts: readonly Uint8Array[], numBytes: number): Promise<void> {
    const { clock } = this.network;
    return new Promise<void>((resolve) => {
      const leave = (): void => {
        if (this.isClosed) return;
        if (
          this.undeliveredBytes > 0 &&
          this.undeliveredBytes + numBytes > this.network.options.maxQueuedBytesPerPeer
        ) {
          this.stalled.push(leave);
          return;
        }
        this.undeliveredBytes += numBytes;
        const bytes = this.copy(parts, numBytes);
        resolve();
        this.arrivesAtMs = Math.max(this.arrivesAtMs, clock.nowMs() + this.delay());
        clock.schedule(this.arrivesAtMs - clock.nowMs(), () => this.arrive(bytes));
      };
      this.leavesAtMs = Math.max(this.leavesAtMs, clock.nowMs() + this.delay() / 4);
      clock.schedule(this.leavesAtMs - clock.nowMs(), () => {
        // A frame behind a stalled one stalls too: order is kept.
        if (this.stalled.length > 0) this.stalled.push(leave);
        else leave();
      });
    });
  }

  /** Parts joined at a random byte offset, as sockets hand them over. */
  private copy(parts: readonly Uint8Array[], numBytes: number): Uint8Array {
    const offset = this.network.random.between(0, 7);
    const bytes = new Uint8Array(offset + numBytes).subarray(offset);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.byteLength;
    }
    return bytes;
  }

  private delay(): number {
    const [min, max] = this.options.delayMs;
    return min + this.network.random.next() * (max - min);
  }

  private arrive(bytes: Uint8Array): void {
    if (this.isClosed) return;
    this.arrived.push(bytes);
    this.drain();
  }

  private drain(): void {
    while (!this.isHeld && !this.isClosed && this.arrived.length > 0) {
      const bytes = this.arrived.shift()!;
      this.undeliveredBytes -= bytes.byteLength;
      this.options.deliver(bytes);
    }
    const stalled = this.stalled.splice(0);
    for (let i = 0; i < stalled.length; i++) {
      if (this.stalled.length > 0) this.stalled.push(stalled[i]!);
      else stalled[i]!();
    }
  }
}
