/**
 * @file Takes every frame of a worker to the collective that waits for it.
 *
 * A frame names its place: generation, stream, step and attempt. A frame for an open place is delivered; one for a later
 * place waits (frames overtake control messages), bounded per peer by pausing that peer; one for an earlier place, or of
 * an earlier generation, is dropped and counted. A frame whose sender's rank is not its sender's is dropped and counted
 * as a violation. Ranks are known only with a group: `enter` sets it.
 */
import type { BulkHeader, BulkStream } from "@lockstep/protocol";
import { CollectiveError } from "../errors.js";
import type { BulkFrame, Landing, Transport } from "../transport/transport.js";

/** Where in a group's life a frame belongs. */
export interface FramePlace {
  readonly stream: BulkStream;
  readonly generation: number;
  /** Step, or sequence number of a collective. */
  readonly step: number;
  readonly attempt: number;
}

export interface PlaceHandler {
  /** See `TransportListener.place`. */
  place?(rank: number, header: BulkHeader): Landing | undefined;
  onFrame(rank: number, frame: BulkFrame): void;
  onPeerLost(rank: number, reason: string): void;
}

export interface RouterCounters {
  /** Frames of a place or a generation that is over. */
  readonly numStale: number;
  /** Frames whose header contradicts who sent them. */
  readonly numViolations: number;
  /** Bytes that wait for a place that is not open yet. */
  readonly queuedBytes: number;
}

export interface FrameRouterOptions {
  /** Bytes that wait per peer before the peer is paused. */
  readonly maxQueuedBytesPerPeer?: number;
  /** Told of every frame that is dropped because its header contradicts its sender. */
  readonly onViolation?: (peerId: string, what: string) => void;
}

interface PeerQueue {
  frames: BulkFrame[];
  numBytes: number;
  isPaused: boolean;
}

const DEFAULT_MAX_QUEUED_BYTES = 268_435_456;

export class FrameRouter {
  readonly transport: Transport;
  private readonly options: FrameRouterOptions;
  private readonly queues = new Map<string, PeerQueue>();
  private readonly lost = new Map<string, string>();
  private readonly open_ = new Map<string, PlaceHandler>();
  private readonly latest = new Map<BulkStream, FramePlace>();
  private generation = -1;
  private members: readonly string[] = [];
  private numStale = 0;
  private numViolations = 0;

  constructor(transport: Transport, options: FrameRouterOptions = {}) {
    this.transport = transport;
    this.options = options;
    transport.listen({
      place: (peerId, header) => this.findLanding(peerId, header),
      onFrame: (peerId, frame) => this.route(peerId, frame),
      onPeerLost: (peerId, reason) => this.lose(peerId, reason),
    });
  }

  /** A new generation with these workers in rank order. What waited for an earlier one is dropped. */
  enter(generation: number, members: readonly string[]): void {
    if (generation <= this.generation) {
      throw new CollectiveError(
        "E_ARGUMENT",
        `enter: generation ${generation} follows ${this.generation}; a generation must be larger than the one before.`,
        { generation, previous: this.generation },
      );
    }
    this.generation = generation;
    this.members = members;
    this.latest.clear();
    for (const peerId of [...this.queues.keys()]) this.replay(peerId);
  }

  /** Frames of this place go to the handler from now on, those that wait first. */
  open(place: FramePlace, handler: PlaceHandler): void {
    const latest = this.latest.get(place.stream);
    if (latest === undefined || comparePlaces(place, latest) > 0) this.latest.set(place.stream, place);
    this.open_.set(keyOf(place), handler);
    for (const peerId of this.members) this.replay(peerId);
    for (const [peerId, reason] of this.lost) {
      const rank = this.members.indexOf(peerId);
      if (rank >= 0 && this.open_.get(keyOf(place)) === handler) handler.onPeerLost(rank, reason);
    }
  }

  close(place: FramePlace): void {
    this.open_.delete(keyOf(place));
  }

  /** The link to this worker exists again. */
  restore(peerId: string): void {
    this.lost.delete(peerId);
  }

  counters(): RouterCounters {
    let queuedBytes = 0;
    for (const queue of this.queues.values()) queuedBytes += queue.numBytes;
    return { numStale: this.numStale, numViolations: this.numViolations, queuedBytes };
  }

  private route(peerId: string, frame: BulkFrame): void {
    if (this.deliver(peerId, frame)) return;
    const queue = this.queues.get(peerId) ?? { frames: [], numBytes: 0, isPaused: false };
    this.queues.set(peerId, queue);
    queue.frames.push(frame);
    queue.numBytes += frame.payload.byteLength;
    const maxBytes = this.options.maxQueuedBytesPerPeer ?? DEFAULT_MAX_QUEUED_BYTES;
    if (queue.numBytes > maxBytes && !queue.isPaused) {
      queue.isPaused = true;
      this.transport.pause(peerId);
    }
  }

  private findLanding(peerId: string, header: BulkHeader): Landing | undefined {
    const rank = this.members.indexOf(peerId);
    if (header.generation !== this.generation || header.senderRank !== rank || rank < 0) return undefined;
    return this.open_.get(keyOf(placeOf(header)))?.place?.(rank, header);
  }

  /** False when the frame must wait. */
  private deliver(peerId: string, frame: BulkFrame): boolean {
    const { header } = frame;
    if (header.generation > this.generation) return false;
    if (header.generation < this.generation) {
      this.numStale++;
      return true;
    }
    const rank = this.members.indexOf(peerId);
    if (rank < 0 || header.senderRank !== rank) {
      this.numViolations++;
      this.options.onViolation?.(peerId, `sent a frame as rank ${header.senderRank}; its rank is ${rank}`);
      return true;
    }
    const place = placeOf(header);
    const handler = this.open_.get(keyOf(place));
    if (handler !== undefined) {
      handler.onFrame(rank, frame);
      return true;
    }
    const latest = this.latest.get(header.stream);
    if (latest === undefined || comparePlaces(place, latest) > 0) return false;
    this.numStale++;
    return true;
  }

  private replay(peerId: string): void {
    const queue = this.queues.get(peerId);
    if (queue === undefined) return;
    const frames = queue.frames;
    queue.frames = [];
    queue.numBytes = 0;
    for (const frame of frames) {
      if (this.deliver(peerId, frame)) continue;
      queue.frames.push(frame);
      queue.numBytes += frame.payload.byteLength;
    }
    const maxBytes = this.options.maxQueuedBytesPerPeer ?? DEFAULT_MAX_QUEUED_BYTES;
    if (queue.isPaused && queue.numBytes <= maxBytes) {
      queue.isPaused = false;
      this.transport.resume(peerId);
    }
  }

  private lose(peerId: string, reason: string): void {
    this.lost.set(peerId, reason);
    const rank = this.members.indexOf(peerId);
    if (rank < 0) return;
    for (const handler of [...this.open_.values()]) handler.onPeerLost(rank, reason);
  }
}

function placeOf(header: BulkHeader): FramePlace {
  return { stream: header.stream, generation: header.generation, step: header.step, attempt: header.attempt };
}

function keyOf(place: FramePlace): string {
  return `${place.stream}/${place.generation}/${place.step}/${place.attempt}`;
}

function comparePlaces(a: FramePlace, b: FramePlace): number {
  return a.generation - b.generation || a.step - b.step || a.attempt - b.attempt;
}
