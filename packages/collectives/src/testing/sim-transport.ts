import { BULK_HEADER_BYTES, decodeBulkHeader, encodeBulkHeader } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import type { BulkFrame, LinkCounters, SendOptions, Transport, TransportListener } from "../transport/transport.js";
import { SimLink } from "./sim-link.js";
import type { SimNetwork } from "./sim-network.js";

interface MutableCounters {
  bytesSent: number;
  bytesReceived: number;
  framesSent: number;
  framesReceived: number;
}

interface SimPeer {
  readonly out: SimLink;
  readonly counters: MutableCounters;
  /** Frames that arrived and are not delivered whole. */
  readonly landing: Uint8Array[];
  /** The other side's link to this one: what `pause` holds back. */
  incoming: SimLink | undefined;
  isPaused: boolean;
}

/** A worker's end of a `SimNetwork`. */
export class SimTransport implements Transport {
  readonly workerId: string;
  private readonly network: SimNetwork;
  private readonly links = new Map<string, SimPeer>();
  private listener: TransportListener | undefined;
  private readonly early: ((listener: TransportListener) => void)[] = [];
  private isFrozen = false;
  private isDisposed = false;

  constructor(workerId: string, network: SimNetwork) {
    this.workerId = workerId;
    this.network = network;
  }

  /** The network links this end with another one. */
  connect(other: SimTransport): void {
    const out = new SimLink(this.network, {
      delayMs: this.network.options.delayMs,
      deliver: (bytes) => other.receive(this.workerId, bytes),
    });
    const counters = { bytesSent: 0, bytesReceived: 0, framesSent: 0, framesReceived: 0 };
    const back = other.links.get(this.workerId);
    this.links.set(other.workerId, { out, counters, landing: [], incoming: back?.out, isPaused: false });
    if (back !== undefined) back.incoming = out;
  }

  peers(): readonly string[] {
    return [...this.links.keys()];
  }

  async send(peerId: string, frame: BulkFrame, options: SendOptions = {}): Promise<void> {
    if (this.isDisposed) throw new CollectiveError("E_DISPOSED", "send: the transport is disposed.", { peerId });
    const peer = this.links.get(peerId);
    if (peer === undefined) {
      throw new CollectiveError("E_PEER_LOST", `send: there is no link to worker "${peerId}".`, { peerId });
    }
    peer.counters.framesSent++;
    peer.counters.bytesSent += BULK_HEADER_BYTES + frame.payload.byteLength;
    await peer.out.send([encodeBulkHeader(frame.header), frame.payload], options);
  }

  listen(listener: TransportListener): void {
    this.listener = listener;
    for (const tell of this.early.splice(0)) tell(listener);
  }

  pause(peerId: string): void {
    this.setPaused(peerId, true);
  }

  resume(peerId: string): void {
    this.setPaused(peerId, false);
  }

  counters(peerId: string): LinkCounters {
    return {
      ...(this.links.get(peerId)?.counters ?? { bytesSent: 0, bytesReceived: 0, framesSent: 0, framesReceived: 0 }),
    };
  }

  async dispose(): Promise<void> {
    this.die("disposed");
  }

  setFrozen(isFrozen: boolean): void {
    this.isFrozen = isFrozen;
    for (const peer of this.links.values()) peer.incoming?.hold(isFrozen || peer.isPaused);
  }

  /** Every link ends; the others learn it after the network's notice time. */
  die(reason: string): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    for (const peerId of [...this.links.keys()]) {
      const peer = this.links.get(peerId)!;
      peer.out.close(reason);
      peer.incoming?.close(reason);
      this.links.delete(peerId);
      this.onOtherSideLost?.(peerId, reason);
    }
  }

  /** Set by the network: tells the other side. */
  onOtherSideLost: ((peerId: string, reason: string) => void) | undefined;

  lose(peerId: string, reason: string): void {
    const peer = this.links.get(peerId);
    if (peer === undefined || this.isDisposed) return;
    this.links.delete(peerId);
    peer.out.close(reason);
    peer.incoming?.close(reason);
    this.tell((listener) => listener.onPeerLost(peerId, reason));
  }

  private receive(peerId: string, bytes: Uint8Array): void {
    const peer = this.links.get(peerId);
    if (this.isDisposed || peer === undefined) return;
    peer.landing.push(bytes);
    if (peer.landing.length === 1) this.land(peerId, peer);
  }

  /**
   * Begins the first frame that has arrived. Half of the payloads come in two parts, as from a socket: the memory that
   * the listener lends is written now and a little later, if it is still wanted then.
   */
  private land(peerId: string, peer: SimPeer): void {
    const bytes = peer.landing[0];
    if (bytes === undefined || this.links.get(peerId) !== peer) return;
    const header = decodeBulkHeader(bytes);
    const payload = bytes.subarray(BULK_HEADER_BYTES);
    const isSlow = payload.length > 0 && this.network.random.next() < 0.5;
    const landing = isSlow ? this.listener?.place?.(peerId, header) : undefined;
    const finish = (frame: BulkFrame | undefined): void => {
      if (this.links.get(peerId) !== peer) return;
      peer.landing.shift();
      peer.counters.framesReceived++;
      peer.counters.bytesReceived += bytes.byteLength;
      if (frame !== undefined) this.tell((listener) => listener.onFrame(peerId, frame));
      this.land(peerId, peer);
    };
    if (landing === undefined) {
      finish({ header, payload });
      return;
    }
    const half = payload.length >> 1;
    landing.memory.set(payload.subarray(0, half));
    this.network.clock.schedule(this.network.random.next() * this.network.options.delayMs[1], () => {
      const isWanted = landing.isWanted();
      if (isWanted) landing.memory.set(payload.subarray(half), half);
      finish(isWanted ? { header, payload: landing.memory } : undefined);
    });
  }

  private tell(what: (listener: TransportListener) => void): void {
    if (this.listener === undefined) this.early.push(what);
    else what(this.listener);
  }

  private setPaused(peerId: string, isPaused: boolean): void {
    const peer = this.links.get(peerId);
    if (peer === undefined) return;
    peer.isPaused = isPaused;
    peer.incoming?.hold(isPaused || this.isFrozen);
  }
}
