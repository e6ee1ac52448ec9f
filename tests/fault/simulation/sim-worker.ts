/** @file A worker's process in virtual time: the real session and exchange, on the simulated engine and network. */
import { createProcessGroup, FrameRouter } from "@lockstep/collectives";
import { plainVectorOps, type SimNetwork, type SimTransport } from "@lockstep/collectives/testing";
import { type MessageBody, PROTOCOL_VERSION } from "@lockstep/protocol";
import { type ImportedState, runWorker, type SessionResult } from "@lockstep/worker";
import { SimEngine, type SimPoison, simSha256 } from "@lockstep/worker/testing";
import { ControlLine } from "./control-line.js";
import { Gate } from "./gate.js";
import type { SimCoordinator } from "./sim-coordinator.js";

export interface SimWorkerOptions {
  readonly workerId: string;
  readonly network: SimNetwork;
  readonly transports: Map<string, SimTransport>;
  readonly model: { readonly seed: number; readonly numMicroBatches: number };
  readonly msPerMicroBatch: () => number;
  /** Nobody while the coordinator is away. */
  readonly coordinator: () => SimCoordinator | undefined;
  readonly poison?: (step: number, lo: number, hi: number) => SimPoison | undefined;
}

export class SimWorker {
  readonly workerId: string;
  readonly gate: Gate;
  readonly finished: Promise<SessionResult>;
  engine: SimEngine | undefined;
  result: SessionResult | undefined;
  line: ControlLine | undefined;
  readonly #options: SimWorkerOptions;

  constructor(options: SimWorkerOptions) {
    const { network, workerId, transports } = options;
    this.#options = options;
    this.workerId = workerId;
    this.gate = new Gate(network.clock);
    const transport = network.createTransport(workerId);
    transports.set(workerId, transport);
    this.finished = this.#run(transport);
    this.finished.then((result) => {
      this.result = result;
    });
  }

  /** The process is gone at this instant. */
  kill(): void {
    this.gate.kill();
    this.#options.network.drop(this.workerId);
    this.#options.transports.delete(this.workerId);
    this.line?.cut("its process is gone");
  }

  freeze(): void {
    this.gate.freeze();
    this.#options.network.freeze(this.workerId);
  }

  thaw(): void {
    this.gate.thaw();
    this.#options.network.thaw(this.workerId);
  }

  async #run(transport: SimTransport): Promise<SessionResult> {
    const { workerId, transports, model } = this.#options;
    const router = new FrameRouter(transport);
    const first = this.#dial(null);
    if (first === undefined) throw new Error("a worker is started while the coordinator is away");
    return runWorker({
      control: first,
      reconnect: async (held) => {
        const line = this.#dial(held);
        if (line === undefined) throw new Error("nobody answers");
        return line;
      },
      peers: {
        link: async (start, rank) => {
          const others = start.members.filter((member) => member.rank !== rank);
          return others.map((member) => {
            const peer = transports.get(member.workerId);
            if (peer === undefined) return { rank: member.rank, isDirect: true, reason: null };
            if (!transport.peers().includes(member.workerId) || !peer.peers().includes(workerId)) {
              transport.connect(peer);
              peer.connect(transport);
            }
            router.restore(member.workerId);
            return { rank: member.rank, isDirect: true, reason: null };
          });
        },
        route: async ({ generation }) => {
          const members = this.#membersOf(generation);
          return createProcessGroup({ generation, members, router, clock: this.gate, deadlineMs: 60_000 });
        },
        dispose: () => transport.dispose(),
      },
      createEngine: async (welcome) => {
        const restore = this.#restoreOf(welcome);
        this.engine = new SimEngine({
          ...model,
          clock: this.gate,
          msPerMicroBatch: this.#options.msPerMicroBatch,
          callMs: { prepare: 30, apply: 1, export: 3, import: 3 },
          bucketBytes: 32,
          ...(restore === undefined ? {} : { restore }),
          ...(this.#options.poison === undefined ? {} : { poison: this.#options.poison }),
        });
        return this.engine;
      },
      createExchangeTools: () => ({ ops: plainVectorOps }),
      sha256: simSha256,
      clock: this.gate,
      log: () => {},
      timeouts: { minStepMs: 2_000 },
    });
  }

  #dial(held: MessageBody<"hello">["held"]): ControlLine | undefined {
    const coordinator = this.#options.coordinator();
    if (coordinator === undefined) return undefined;
    const line = new ControlLine(this.#options.network, { id: this.workerId, gate: this.gate }, coordinator);
    this.line = line;
    line.hello({
      protocolVersion: PROTOCOL_VERSION,
      numericsVersion: 1,
      lockstepVersion: "sim",
      workerId: this.workerId,
      name: this.workerId,
      numericClasses: ["strict"],
      threads: 1,
      listenUrls: [],
      canDial: true,
      platform: "simulated",
      held,
    });
    return line;
  }

  /** As the coordinator has it: the message that announces it came just before. */
  #membersOf(generation: number): readonly string[] {
    const coordinator = this.#options.coordinator();
    const entry = coordinator?.disk.journal.findLast((e) => e.kind === "membership" && e.generation === generation);
    if (entry?.kind !== "membership") throw new Error(`generation ${generation} is not in the journal`);
    return entry.members.map(({ workerId }) => workerId);
  }

  #restoreOf(welcome: MessageBody<"welcome">): ImportedState | undefined {
    if (welcome.resume === null) return undefined;
    const { step } = welcome.resume;
    const stored = this.#options.coordinator()?.disk.checkpoints.get(step);
    if (stored === undefined) throw new Error(`checkpoint ${step} is gone`);
    return { step, files: stored.files.map(({ name, bytes }) => ({ name, bytes: bytes.slice() })) };
  }
}
