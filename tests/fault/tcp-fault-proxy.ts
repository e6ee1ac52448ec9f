/**
 * @file A TCP proxy on loopback whose two directions can be made slow, deaf, wrong or dead while bytes flow. Knows no protocol, so
 * WebSockets go through it as well.
 *
 * Delay, rate, drop and pause hold for every connection, those to come included, until `heal`; the rest hits what is open now. Deterministic by seed as far as TCP is: jitter, and which
 * bit is flipped. `fired()` counts what really happened to bytes or connections, not what was asked for.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Generator } from "@lockstep/core";
import { type DirectionFaults, FaultPipe } from "./fault-pipe.js";

export type Direction = "toTarget" | "toClient";
export type Directions = Direction | "both";

export interface TcpFaultProxyOptions {
  readonly targetPort: number;
  /** Default 127.0.0.1. */
  readonly targetHost?: string;
  /** Where the proxy listens. Default 0, any free port. */
  readonly port?: number;
  /** Of jitter and of the bit that is flipped. Default 0. */
  readonly seed?: number;
}

interface Connection {
  readonly client: Socket;
  readonly target: Socket;
  readonly pipes: Readonly<Record<Direction, FaultPipe>>;
}

const loopback = "127.0.0.1";

export class TcpFaultProxy {
  readonly #options: TcpFaultProxyOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #faults: Record<Direction, DirectionFaults> = { toTarget: {}, toClient: {} };
  readonly #fired = new Map<string, number>();
  #isRefusing = false;
  #numAccepted = 0;

  private constructor(options: TcpFaultProxyOptions) {
    this.#options = options;
    // Half-open is a fault of its own here, so neither side is closed because the other was.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  static async start(options: TcpFaultProxyOptions): Promise<TcpFaultProxy> {
    const proxy = new TcpFaultProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(options.port ?? 0, loopback, resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  get numConnections(): number {
    return this.#connections.size;
  }

  /** Every chunk arrives `ms` later, and up to `jitterMs` more; the order stays. */
  delay(directions: Directions, ms: number, jitterMs = 0): void {
    this.#set(directions, { delayMs: ms, jitterMs });
  }

  rate(directions: Directions, bytesPerSec: number): void {
    this.#set(directions, { bytesPerSec });
  }

  /**
   * A black hole: bytes and farewells of this direction vanish from now on, and nothing is closed. Healed, the stream has a hole; for a
   * cable that is cut and mended see `pause`.
   */
  drop(directions: Directions): void {
    this.#set(directions, { isDropping: true });
  }

  /** Ends this direction with a FIN, as half of a close; the other goes on. */
  halfOpen(direction: Direction): void {
    for (const { pipes } of this.#connections) {
      pipes[direction].finish();
      this.#count(`halfOpen ${direction}`);
    }
  }

  /** Flips one bit of the byte that is `afterBytes` behind what each open connection has carried so far. */
  corrupt(direction: Direction, afterBytes: number, bit?: number): void {
    const chosen = bit ?? new Generator(this.#options.seed ?? 0, { stream: 1 }).integer(8);
    for (const { pipes } of this.#connections) pipes[direction].corrupt(afterBytes, 1 << chosen);
  }

  /** Stops reading: nothing is lost, and soon the sender's buffers are full. */
  pause(directions: Directions): void {
    for (const direction of directionsOf(directions)) {
      this.#faults[direction] = { ...this.#faults[direction], isPaused: true };
      for (const { pipes } of this.#connections) pipes[direction].update(this.#faults[direction]);
      this.#count(`pause ${direction}`);
    }
  }

  resume(directions: Directions): void {
    this.#set(directions, { isPaused: false });
  }

  /** RST to both ends of every connection that is open. */
  reset(): void {
    for (const { client, target } of this.#connections) {
      client.resetAndDestroy();
      target.resetAndDestroy();
      this.#count("reset");
    }
  }

  /** New connections get a RST at once. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** All faults off. Bytes that were dropped stay lost; an end that was dropped arrives. */
  heal(): void {
    this.#isRefusing = false;
    for (const direction of directionsOf("both")) {
      this.#faults[direction] = {};
      for (const { pipes } of this.#connections) pipes[direction].heal();
    }
  }

  /** How often each fault has hit something, as `"drop toTarget": chunks`, `"reset": connections`. */
  fired(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#fired].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async stop(): Promise<void> {
    for (const { client, target } of this.#connections) {
      client.destroy();
      target.destroy();
    }
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(client: Socket): void {
    client.on("error", () => {});
    if (this.#isRefusing) {
      client.resetAndDestroy();
      this.#count("refuse");
      return;
    }
    const { targetPort, targetHost = loopback, seed = 0 } = this.#options;
    const target = connect({ port: targetPort, host: targetHost, allowHalfOpen: true, noDelay: true });
    target.on("error", () => {});
    const index = this.#numAccepted++;
    const pipe = (direction: Direction, source: Socket, sink: Socket) =>
      new FaultPipe({
        source,
        sink,
        faults: this.#faults[direction],
        random: new Generator(seed, { stream: 2 + 2 * index + (direction === "toTarget" ? 0 : 1) }),
        onFired: (what) => this.#count(`${what} ${direction}`),
      });
    const pipes = { toTarget: pipe("toTarget", client, target), toClient: pipe("toClient", target, client) };
    const connection = { client, target, pipes };
    this.#connections.add(connection);
    const forget = () => {
      if (client.destroyed && target.destroyed) this.#connections.delete(connection);
    };
    client.once("close", forget);
    target.once("close", forget);
  }

  #set(directions: Directions, change: DirectionFaults): void {
    for (const direction of directionsOf(directions)) {
      this.#faults[direction] = { ...this.#faults[direction], ...change };
      for (const { pipes } of this.#connections) pipes[direction].update(this.#faults[direction]);
    }
  }

  #count(what: string): void {
    this.#fired.set(what, (this.#fired.get(what) ?? 0) + 1);
  }
}

function directionsOf(directions: Directions): readonly Direction[] {
  return directions === "both" ? ["toTarget", "toClient"] : [directions];
}
