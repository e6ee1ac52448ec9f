/**
 * @file Links of a Node worker: it dials every other member's listener, because data flows from the side that listens; what it cannot
 * dial goes through the coordinator's relay.
 */
import {
  type Clock,
  createProcessGroup,
  FrameRouter,
  MultiTransport,
  type ProcessGroup,
  RelayTransport,
} from "@lockstep/collectives";
import type { WebSocketTransport } from "@lockstep/collectives/node";
import type { FrameChannel, Link, Member, MessageBody } from "@lockstep/protocol";
import { TrainingError } from "../errors.js";
import type { Log, PeerPort } from "../session/session-ports.js";

export interface NodePeerLinksOptions {
  readonly transport: WebSocketTransport;
  /** Opens this worker's socket to the relay, with its ticket of a generation. */
  readonly openRelay: (ticket: string) => Promise<FrameChannel>;
  readonly clock: Clock;
  readonly log: Log;
  /** For a peer to answer a dial. Default 2 s. */
  readonly dialTimeoutMs?: number;
  /** For collectives that name no deadline of their own. Default 600 s. */
  readonly deadlineMs?: number;
}

/** A peer that has not heard of the generation yet refuses the first dial. */
const dialRetryMs = 20;

interface Linked {
  readonly start: MessageBody<"startGeneration">;
  readonly rank: number;
  readonly relay: RelayTransport | undefined;
}

export class NodePeerLinks implements PeerPort {
  readonly #options: NodePeerLinksOptions;
  /** One for all generations: frames may come before the message that announces theirs, and wait in it. */
  readonly #transport: MultiTransport;
  readonly #router: FrameRouter;
  #linked: Linked | undefined;
  /** The latest that was begun; undefined once disposed. */
  #generation: number | undefined = 0;

  constructor(options: NodePeerLinksOptions) {
    this.#options = options;
    this.#transport = new MultiTransport({ direct: options.transport });
    this.#router = new FrameRouter(this.#transport, {
      onViolation: (peerId, what) => options.log("warn", `worker "${peerId}" ${what}`),
    });
  }

  async link(start: MessageBody<"startGeneration">, rank: number): Promise<readonly Link[]> {
    if (this.#generation === undefined) return [];
    this.#generation = start.generation;
    const own = start.members.find((member) => member.rank === rank)!;
    const others = start.members.filter((member) => member.rank !== rank);
    this.#transport.useRelay(undefined);
    // A link that breaks from here on is lost to this generation; what broke before is about to be dialled again.
    for (const { workerId } of others) this.#router.restore(workerId);
    this.#options.transport.admit(others);
    const [relay, ...links] = await Promise.all([
      others.length === 0 ? undefined : this.#openRelay(own),
      ...others.map((peer) => this.#dial(peer, own.ticket)),
    ]);
    if (this.#generation !== start.generation) {
      await relay?.dispose();
      return links;
    }
    const before = this.#linked?.relay;
    this.#linked = { start, rank, relay };
    await before?.dispose();
    return links;
  }

  async route(routes: MessageBody<"routes">): Promise<ProcessGroup> {
    const { clock, deadlineMs = 600_000 } = this.#options;
    const { start, rank, relay } = this.#linked!;
    const { generation } = start;
    const members = [...start.members].sort((a, b) => a.rank - b.rank).map(({ workerId }) => workerId);
    const relayed = routes.relayPairs.filter(([from]) => from === rank).map(([, to]) => members[to]!);
    if (routes.relayPairs.some((pair) => pair.includes(rank))) this.#routeThrough(relay, relayed);
    // Their direct links may have broken since they were dialled; nobody will miss them.
    for (const peerId of relayed) this.#router.restore(peerId);
    relay?.enter(generation, members);
    return createProcessGroup({ generation, members, router: this.#router, clock, deadlineMs });
  }

  async dispose(): Promise<void> {
    this.#generation = undefined;
    await Promise.all([this.#linked?.relay?.dispose(), this.#options.transport.dispose()]);
  }

  #routeThrough(relay: RelayTransport | undefined, relayed: readonly string[]): void {
    if (relay === undefined) {
      throw new TrainingError(
        `link: ${relayed.join(", ") || "a peer"} is to be reached through the relay, and the relay could not be opened; it must be. See the warning above.`,
        { relayed },
        "E_LINK",
      );
    }
    this.#transport.useRelay(relay);
    this.#transport.routeThroughRelay(relayed);
  }

  async #openRelay(own: Member): Promise<RelayTransport | undefined> {
    try {
      const channel = await this.#options.openRelay(own.ticket);
      return new RelayTransport({ workerId: own.workerId, channel });
    } catch (error) {
      this.#options.log("warn", `relay: it could not be opened: ${reasonOf(error)}`);
      return undefined;
    }
  }

  async #dial(peer: Member, ticket: string): Promise<Link> {
    const { transport, clock, dialTimeoutMs = 2_000 } = this.#options;
    const generation = this.#generation;
    const untilMs = clock.nowMs() + dialTimeoutMs;
    let reason = "it does not listen";
    for (const url of peer.listenUrls) {
      for (let isWaiting = true; isWaiting; ) {
        try {
          const deadlineMs = Math.max(1, untilMs - clock.nowMs());
          await transport.dial({ peerId: peer.workerId, url, ticket, deadlineMs });
          return { rank: peer.rank, isDirect: true, reason: null };
        } catch (error) {
          reason = reasonOf(error);
        }
        const isCurrent = this.#generation === generation;
        isWaiting = isCurrent && reason.includes("401") && clock.nowMs() + dialRetryMs < untilMs;
        if (isWaiting) await new Promise<void>((resolve) => void clock.schedule(dialRetryMs, resolve));
      }
    }
    this.#options.log("info", `worker "${peer.name}" cannot be dialled: ${reason}; its data comes over the relay`);
    return { rank: peer.rank, isDirect: false, reason: reason.slice(0, 4_000) };
  }
}

function reasonOf(error: unknown): string {
  const known = error as { fields?: { reason?: unknown } } | undefined;
  if (typeof known?.fields?.reason === "string") return known.fields.reason;
  return error instanceof Error ? error.message : String(error);
}
