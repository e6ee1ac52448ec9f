/** @file One simulated run with the faults of a schedule: everything real but sockets, disk, clock and model. */
import { SimNetwork, type SimTransport } from "@lockstep/collectives/testing";
import type { RunSummary } from "@lockstep/coordinator";
import type { SimPoison } from "@lockstep/worker/testing";
import type { PlannedFault, Schedule } from "./schedule.js";
import { SimCoordinator, SimDisk } from "./sim-coordinator.js";
import { SimWorker } from "./sim-worker.js";

export interface SimOutcome {
  readonly summary: RunSummary;
  readonly disk: SimDisk;
  readonly workers: readonly SimWorker[];
  /** One entry for each planned fault that happened, in order. */
  readonly fired: readonly string[];
  readonly virtualMs: number;
}

/** No run may take longer than this: somebody waits for ever. */
const limitMs = 400_000;
const retryMs = 40;
const overdueFactor = 40;

export class Simulation {
  readonly fired: string[] = [];
  readonly workers: SimWorker[] = [];
  readonly #schedule: Schedule;
  readonly #network: SimNetwork;
  readonly #transports = new Map<string, SimTransport>();
  readonly #disk = new SimDisk();
  readonly #planned: PlannedFault[];
  readonly #poisoned = new Map<string, { step: number; kind: SimPoison }>();
  #coordinator: SimCoordinator | undefined;
  #onEnd: (summary: RunSummary) => void = () => {};
  #isOver = false;
  /** Faults whose time has come and that wait for somebody to be well: until then steps are slow, so that the run does not end first. */
  #numOverdue = 0;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    const { seed, delayMs, controlDelayMs } = schedule;
    this.#network = new SimNetwork({ seed, delayMs, controlDelayMs });
    this.#planned = [...schedule.faults];
  }

  async run(): Promise<SimOutcome> {
    const end = new Promise<RunSummary>((resolve, reject) => {
      this.#onEnd = resolve;
      this.#network.clock.schedule(limitMs, () =>
        reject(new Error(`the run goes on after ${limitMs} virtual ms (L7)`)),
      );
    });
    end.catch(() => {});
    this.#startCoordinator();
    for (let i = 0; i < this.#schedule.numWorkers; i++) this.#join();
    this.#fireAfter(0);
    const summary = await this.#network.clock.runUntil(end);
    const virtualMs = this.#network.clock.nowMs();
    this.#isOver = true;
    await this.#network.clock.runTo(virtualMs + 100);
    return { summary, disk: this.#disk, workers: this.workers, fired: this.fired, virtualMs };
  }

  /** For the message of a failure. */
  describe(): string {
    return this.#disk.events
      .filter(({ type }) => type !== "commit")
      .map(({ type, step, generation, reason }) =>
        `${type} step ${step} generation ${generation}: ${reason}`.slice(0, 240),
      )
      .slice(-60)
      .join("\n");
  }

  #startCoordinator(): void {
    const { job } = this.#schedule;
    this.#coordinator = new SimCoordinator(
      this.#network,
      { job, disk: this.#disk },
      { end: (summary) => this.#onEnd(summary), commit: (step) => this.#fireAfter(step) },
    );
  }

  /** Faults of a step happen once, although a step that nobody held may be committed again after a rewind. */
  #fireAfter(step: number): void {
    for (const fault of this.#planned.filter((planned) => planned.step === step)) {
      this.#planned.splice(this.#planned.indexOf(fault), 1);
      this.#numOverdue++;
      this.#network.clock.schedule(fault.afterMs, () => this.#fire(fault));
    }
  }

  #fire(fault: PlannedFault): void {
    if (this.#isOver) return;
    const what = this.#tryToFire(fault);
    if (what === undefined) this.#network.clock.schedule(retryMs, () => this.#fire(fault));
    else {
      this.#numOverdue--;
      this.fired.push(what);
    }
  }

  /** @returns what happened, or undefined when it must wait: somebody must stay well. */
  #tryToFire({ kind, forMs, pick }: PlannedFault): string | undefined {
    if (kind === "join") return this.#coordinator === undefined ? undefined : `join ${this.#join().workerId}`;
    if (kind === "killCoordinator") return this.#killCoordinator(forMs);
    if (kind === "killAll") return this.#killAll(forMs);
    const well = this.#wellMembers();
    if (well.length < 2) {
      if (this.#coordinator !== undefined && this.#numConnected() < 2) this.#join();
      return undefined;
    }
    const worker = well[Math.floor(pick * well.length)]!;
    switch (kind) {
      case "kill":
        worker.kill();
        break;
      case "freeze":
        worker.freeze();
        this.#network.clock.schedule(forMs, () => worker.thaw());
        break;
      case "sever": {
        const other = well.find((candidate) => candidate !== worker)!;
        this.#network.sever(worker.workerId, other.workerId);
        break;
      }
      case "cutControl":
        worker.line!.cut("reset");
        break;
      case "swallowControl": {
        const { line } = worker;
        line!.swallow(true);
        this.#network.clock.schedule(forMs, () => line!.swallow(false));
        break;
      }
      case "poison":
        this.#poisoned.set(worker.workerId, { step: worker.engine!.step + 1, kind: "nan" });
        break;
      case "duplicate":
        this.#duplicate(worker.workerId);
        break;
      default:
        kind satisfies never;
    }
    return `${kind} ${worker.workerId}`;
  }

  /** The next frame that a worker sends leaves twice. */
  #duplicate(workerId: string): void {
    const transport = this.#transports.get(workerId)!;
    const send = transport.send.bind(transport);
    transport.send = async (peerId, frame, options) => {
      transport.send = send;
      await send(peerId, frame, options);
      await send(peerId, frame, options).catch(() => {});
    };
  }

  /** Nobody who holds the state is left; others come after a while. */
  #killAll(forMs: number): string | undefined {
    if (this.#coordinator === undefined || this.#wellMembers().length === 0) return undefined;
    const alive = this.workers.filter(({ gate, result }) => !gate.isDead && result === undefined);
    for (const worker of alive) worker.kill();
    this.#network.clock.schedule(Math.min(forMs, 9_000), () => {
      for (let i = 0; i < this.#schedule.numWorkers; i++) this.#restart();
    });
    return `killAll ${alive.map(({ workerId }) => workerId).join(" ")}`;
  }

  #killCoordinator(awayMs: number): string | undefined {
    const coordinator = this.#coordinator;
    // Its workers must hold something: before the first step there is nothing to lose.
    if (coordinator === undefined || coordinator.state.phase === "stopped" || !this.#isAnyWell()) return undefined;
    this.#coordinator = undefined;
    coordinator.kill();
    this.#network.clock.schedule(Math.min(awayMs, 9_000), () => this.#startCoordinator());
    return `killCoordinator term ${this.#disk.term}`;
  }

  #isAnyWell(): boolean {
    return this.workers.some((worker) => worker.gate.isOpen && worker.result === undefined);
  }

  #numAlive(): number {
    return this.workers.filter((worker) => !worker.gate.isDead && worker.result === undefined).length;
  }

  #numConnected(): number {
    return this.workers.filter(({ gate, line, result }) => gate.isOpen && line?.isOpen === true && result === undefined)
      .length;
  }

  #wellMembers(): SimWorker[] {
    const members = this.#coordinator?.state.members ?? [];
    return this.workers.filter(
      (worker) =>
        worker.gate.isOpen &&
        worker.line?.isOpen === true &&
        worker.result === undefined &&
        members.includes(worker.workerId),
    );
  }

  #join(): SimWorker {
    const index = this.workers.length;
    const workerId = `w${index}`;
    const { job, msPerMicroBatch, seed } = this.#schedule;
    const worker = new SimWorker({
      workerId,
      network: this.#network,
      transports: this.#transports,
      model: { seed, numMicroBatches: job.numMicroBatches },
      msPerMicroBatch: () =>
        msPerMicroBatch[index % msPerMicroBatch.length]! * (this.#numOverdue > 0 ? overdueFactor : 1),
      coordinator: () => this.#coordinator,
      poison: (step) => {
        const planned = this.#poisoned.get(workerId);
        // Alone it could not be computed elsewhere, and the run would rightly end (L6).
        const isAlone = (this.#coordinator?.state.members.length ?? 0) < 2;
        if (planned === undefined || planned.step > step || isAlone) return undefined;
        this.#poisoned.delete(workerId);
        return planned.kind;
      },
    });
    this.workers.push(worker);
    // A worker that gave up, or was told to leave, is started anew by whoever looks after it.
    worker.finished.then(() => {
      if (!this.#isOver && this.#disk.summary === undefined && this.#numAlive() < this.#schedule.numWorkers)
        this.#restart();
    });
    return worker;
  }

  #restart(): void {
    this.#network.clock.schedule(200, () => {
      if (this.#isOver || this.#disk.summary !== undefined) return;
      if (this.#coordinator === undefined) this.#restart();
      else this.#join();
    });
  }
}
