/**
 * @file Forwards bulk frames between members that cannot dial each other. Reads the 8 bytes of the relay header and nothing else.
 *
 * Bounded: a source whose destination takes frames slower than they come is paused until what waits has shrunk.
 */
import { decodeRelayHeader, type Member } from "@lockstep/protocol";
import type { ServerSocket } from "./server-sockets.js";

const openState = 1;
const frameOptions = { binary: true, fin: true, compress: false };

export interface RelaySwitchOptions {
  /** Bytes that may wait for one destination. Default 64 MiB. */
  readonly maxQueuedBytes?: number;
  readonly onViolation: (workerId: string, what: string) => void;
}

interface Port {
  readonly member: Member;
  readonly socket: ServerSocket;
  queuedBytes: number;
  readonly paused: Set<ServerSocket>;
}

export class RelaySwitch {
  readonly #maxQueuedBytes: number;
  readonly #onViolation: RelaySwitchOptions["onViolation"];
  readonly #ports = new Map<number, Port>();
  #generation = 0;
  #members: readonly Member[] = [];
  #numDropped = 0;

  constructor({ maxQueuedBytes = 67_108_864, onViolation }: RelaySwitchOptions) {
    this.#maxQueuedBytes = maxQueuedBytes;
    this.#onViolation = onViolation;
  }

  /** Frames that belonged to another generation, or whose destination is gone. */
  get numDropped(): number {
    return this.#numDropped;
  }

  enterGeneration(generation: number, members: readonly Member[]): void {
    this.close();
    this.#generation = generation;
    this.#members = members;
  }

  /** The member that a ticket belongs to. @param isSame compares in constant time. */
  findMember(isSame: (ticket: string) => boolean): Member | undefined {
    return this.#members.filter(({ ticket }) => isSame(ticket))[0];
  }

  /** A member opened its relay socket. A second one replaces the first. */
  attach(member: Member, socket: ServerSocket): void {
    this.#ports.get(member.rank)?.socket.terminate();
    const port: Port = { member, socket, queuedBytes: 0, paused: new Set() };
    this.#ports.set(member.rank, port);
    socket.binaryType = "nodebuffer";
    socket.on("message", (bytes: Uint8Array, isBinary: boolean) => this.#forward(port, bytes, isBinary));
    const leave = () => {
      if (this.#ports.get(member.rank) === port) this.#ports.delete(member.rank);
      for (const source of port.paused) source.resume();
      port.paused.clear();
    };
    socket.on("close", leave);
    socket.on("error", leave);
  }

  close(): void {
    for (const { socket } of this.#ports.values()) socket.close(1001, "generation over");
    this.#ports.clear();
  }

  #forward(source: Port, bytes: Uint8Array, isBinary: boolean): void {
    let header: ReturnType<typeof decodeRelayHeader>;
    try {
      if (!isBinary) throw new Error("sent a text frame");
      header = decodeRelayHeader(bytes);
    } catch (error) {
      this.#refuse(source, error instanceof Error ? error.message : String(error));
      return;
    }
    if (header.sourceRank !== source.member.rank) {
      this.#refuse(source, `sent a relayed frame as rank ${header.sourceRank}; it is rank ${source.member.rank}`);
      return;
    }
    const destination = this.#ports.get(header.destinationRank);
    if (header.generation !== this.#generation || destination?.socket.readyState !== openState) {
      this.#numDropped++;
      return;
    }
    destination.queuedBytes += bytes.byteLength;
    if (destination.queuedBytes > this.#maxQueuedBytes && !destination.paused.has(source.socket)) {
      destination.paused.add(source.socket);
      source.socket.pause();
    }
    destination.socket.send(bytes, frameOptions, () => {
      destination.queuedBytes -= bytes.byteLength;
      if (destination.queuedBytes > this.#maxQueuedBytes / 2) return;
      for (const waiting of destination.paused) waiting.resume();
      destination.paused.clear();
    });
  }

  #refuse(source: Port, what: string): void {
    this.#onViolation(source.member.workerId, what);
    source.socket.close(4008, "protocol");
  }
}
