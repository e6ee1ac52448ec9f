/**
 * @file A network in virtual time: seeded delays, frames that overtake one another between different peers, faults that
 * are planned and say that they fired.
 *
 * A frame is copied when it leaves, some time after `send`: memory that changes too early arrives changed. Its payload
 * arrives at any byte offset. Control pipes are slower than bulk links on purpose, so that bulk frames overtake control.
 */
import type { FrameChannel } from "@lockstep/protocol";
import { createSeededRandom, type SeededRandom } from "./seeded-random.js";
import { SimLink } from "./sim-link.js";
import { SimTransport } from "./sim-transport.js";
import { VirtualClock, type VirtualClockOptions } from "./virtual-clock.js";

export interface SimNetworkOptions extends VirtualClockOptions {
  readonly seed: number;
  /** One-way delay of a bulk frame, uniform in this range. Default [0.1, 3]. */
  readonly delayMs?: readonly [number, number];
  /** One-way delay of a control frame. Default [2, 20]. */
  readonly controlDelayMs?: readonly [number, number];
  /** After which the others learn that a worker is gone. Default 5. */
  readonly lossNoticeMs?: number;
  readonly maxInFlightBytesPerPeer?: number;
  readonly maxQueuedBytesPerPeer?: number;
}

export class SimNetwork {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly options: Required<Omit<SimNetworkOptions, "settle">>;
  private readonly transports = new Map<string, SimTransport>();
  private readonly pipes: { readonly ids: readonly string[]; readonly close: (reason: string) => void }[] = [];
  private readonly blocked = new Set<string>();
  private readonly firedFaults: string[] = [];

  constructor(options: SimNetworkOptions) {
    this.clock = new VirtualClock(options);
    this.random = createSeededRandom(options.seed);
    this.options = {
      delayMs: [0.1, 3],
      controlDelayMs: [2, 20],
      lossNoticeMs: 5,
      maxInFlightBytesPerPeer: 1 << 20,
      maxQueuedBytesPerPeer: 1 << 22,
      ...options,
    };
  }

  /** A worker's end: linked with every worker of this network, earlier and later ones, unless the pair is blocked. */
  createTransport(workerId: string): SimTransport {
    const transport = new SimTransport(workerId, this);
    transport.onOtherSideLost = (peerId, reason) => {
      this.clock.schedule(this.options.lossNoticeMs, () => this.transports.get(peerId)?.lose(workerId, reason));
    };
    for (const other of this.transports.values()) {
      if (this.isBlocked(workerId, other.workerId)) continue;
      transport.connect(other);
      other.connect(transport);
    }
    this.transports.set(workerId, transport);
    return transport;
  }

  /** Two workers that cannot reach each other directly; call it before their transports are created. */
  blockDirect(a: string, b: string): void {
    this.blocked.add(pairOf(a, b));
  }

  isBlocked(a: string, b: string): boolean {
    return this.blocked.has(pairOf(a, b));
  }

  /** The two ends of an ordered duplex pipe with the delays of control messages. */
  createPipe(idA: string, idB: string): readonly [FrameChannel, FrameChannel] {
    const [endA, endB] = [new PipeEnd(), new PipeEnd()];
    const options = { delayMs: this.options.controlDelayMs };
    endA.out = new SimLink(this, { ...options, deliver: (bytes) => endB.receive(bytes) });
    endB.out = new SimLink(this, { ...options, deliver: (bytes) => endA.receive(bytes) });
    const close = (reason: string): void => {
      endA.end(reason);
      endB.end(reason);
    };
    endA.closeBoth = close;
    endB.closeBoth = close;
    this.pipes.push({ ids: [idA, idB], close });
    return [endA, endB];
  }

  /** The worker is gone at this instant: nothing it sent and that has not arrived will arrive. */
  drop(workerId: string, reason = "connection reset"): void {
    this.firedFaults.push(`drop ${workerId}`);
    this.transports.get(workerId)?.die(reason);
    this.transports.delete(workerId);
    for (const pipe of this.pipes) if (pipe.ids.includes(workerId)) pipe.close(reason);
  }

  /** The direct link between two living workers breaks. */
  sever(a: string, b: string, reason = "link severed"): void {
    this.firedFaults.push(`sever ${a} ${b}`);
    this.transports.get(a)?.lose(b, reason);
    this.transports.get(b)?.lose(a, reason);
  }

  /** Frames to this worker wait until `thaw`; nobody is told. */
  freeze(workerId: string): void {
    this.firedFaults.push(`freeze ${workerId}`);
    this.transports.get(workerId)?.setFrozen(true);
  }

  thaw(workerId: string): void {
    this.firedFaults.push(`thaw ${workerId}`);
    this.transports.get(workerId)?.setFrozen(false);
  }

  /** Plans a fault at a virtual time. */
  at(timeMs: number, fault: () => void): void {
    this.clock.schedule(timeMs - this.clock.nowMs(), fault);
  }

  /** The faults that happened, in order. */
  fired(): readonly string[] {
    return this.firedFaults;
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}

class PipeEnd implements FrameChannel {
  out: SimLink | undefined;
  closeBoth: (reason: string) => void = () => {};
  private frameListener: ((bytes: Uint8Array) => void) | undefined;
  private closeListener: ((reason: string) => void) | undefined;
  private readonly early: Uint8Array[] = [];
  private closedBecause: string | undefined;

  send(parts: readonly Uint8Array[]): Promise<void> {
    return this.out!.send(parts);
  }

  onFrame(listener: (bytes: Uint8Array) => void): void {
    this.frameListener = listener;
    for (const bytes of this.early.splice(0)) listener(bytes);
  }

  onClose(listener: (reason: string) => void): void {
    this.closeListener = listener;
    if (this.closedBecause !== undefined) listener(this.closedBecause);
  }

  close(): void {
    this.closeBoth("closed");
  }

  receive(bytes: Uint8Array): void {
    if (this.frameListener === undefined) this.early.push(bytes);
    else this.frameListener(bytes);
  }

  end(reason: string): void {
    if (this.closedBecause !== undefined) return;
    this.closedBecause = reason;
    this.out!.close(reason);
    this.closeListener?.(reason);
  }
}
