/**
 * @file Who may take part, and when there are enough: hello, welcome, probe, spares, workers that come back, the join deadline.
 *
 * A worker whose state is the run's is "ready" while nothing runs; while the run goes on it is "joining" until it is level.
 */
import { type MessageBody, PROTOCOL_VERSION } from "@lockstep/protocol";
import type { CoordinatorEvent } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { sendAway } from "./accusations.js";
import { memberLimit, numTaken } from "./capacity.js";
import { startJoin } from "./catch-up.js";
import { compareReady } from "./compare-ready.js";
import { fail } from "./ending.js";
import { nameOf, type Turn } from "./turn.js";

type Joined = Extract<CoordinatorEvent, { readonly kind: "joined" }>;
type Hello = MessageBody<"hello">;

export function onJoined(turn: Turn, { workerId, hello, ticket }: Joined): void {
  const { state } = turn;
  const worker: WorkerRecord = {
    workerId,
    name: hello.name,
    order: state.numJoined,
    ticket,
    status: "spare",
    hello,
    ready: undefined,
    held: undefined,
    sentStep: undefined,
    joinedAtMs: turn.nowMs,
    lastHeardMs: turn.nowMs,
    isSuspect: false,
    microBatchMs: undefined,
    lastReport: undefined,
  };
  const isOpen = numTaken(state) < memberLimit(state);
  turn.setWorker(worker);
  turn.set({ numJoined: state.numJoined + 1 });
  const objection = objectionToHello(state, worker);
  if (objection !== undefined) {
    refuseWorker(turn, worker, objection.code, objection.message);
    return;
  }
  const back = hello.held === null ? "joined" : `is back with the state after step ${hello.held.step}`;
  turn.log(
    hello.held === null ? "joined" : "returned",
    `${nameOf(worker)} ${back}, ${hello.threads} threads, ${hello.platform}`,
    {
      workerId,
      name: hello.name,
      platform: hello.platform,
      ...(hello.held === null ? {} : { heldStep: hello.held.step }),
    },
  );
  if (state.phase === "ending") return;
  if (isOpen) welcome(turn, worker);
  else noteSpare(turn, worker);
}

function objectionToHello(state: CoordinatorState, worker: WorkerRecord) {
  const { hello } = worker;
  const { plan } = state;
  return objectionToVersion(state, worker) ?? objectionToPast(state, worker) ?? objectionToClass(hello, worker, plan);
}

function objectionToVersion({ plan }: CoordinatorState, worker: WorkerRecord) {
  const { hello } = worker;
  const install = "Install the same version of lockstep on both machines.";
  if (hello.protocolVersion !== PROTOCOL_VERSION) {
    const message = `join: ${nameOf(worker)} speaks protocol version ${hello.protocolVersion}, the coordinator ${PROTOCOL_VERSION}; both must be the same. ${install}`;
    return { code: "E_PROTOCOL_VERSION", message };
  }
  if (hello.numericsVersion !== plan.numericsVersion) {
    const message = `join: ${nameOf(worker)} has numerics version ${hello.numericsVersion}, the coordinator ${plan.numericsVersion}; both must be the same, or their bits differ. ${install}`;
    return { code: "E_NUMERICS_VERSION", message };
  }
  if (hello.lockstepVersion !== plan.lockstepVersion) {
    const message = `join: ${nameOf(worker)} runs lockstep ${hello.lockstepVersion}, the coordinator ${plan.lockstepVersion}; both must be the same. ${install}`;
    return { code: "E_LOCKSTEP_VERSION", message };
  }
  return undefined;
}

/** What speaks against a worker that was here before. */
function objectionToPast({ plan, banned }: CoordinatorState, worker: WorkerRecord) {
  const { held } = worker.hello;
  const ban = banned.get(worker.workerId);
  if (ban !== undefined) {
    const message = `join: ${nameOf(worker)} is banned from this run: ${ban.reason}. Start it anew once its machine is mended.`;
    return { code: "E_BANNED", message };
  }
  if (held !== null && held.runId !== plan.welcome.runId) {
    const message = `join: ${nameOf(worker)} holds a state of run ${held.runId}, and this is run ${plan.welcome.runId}; it must be the same run. Start the worker anew.`;
    return { code: "E_OTHER_RUN", message };
  }
  if (held !== null && held.term > plan.welcome.term) {
    const message = `join: ${nameOf(worker)} has worked for term ${held.term} of this run, and this coordinator is of term ${plan.welcome.term}; another coordinator has taken the run up since. Stop this one.`;
    return { code: "E_STALE_TERM", message };
  }
  return undefined;
}

function objectionToClass(hello: Hello, worker: WorkerRecord, plan: CoordinatorState["plan"]) {
  const device = hello.numericClasses.find(isDeviceClass);
  if (device !== undefined && !plan.admitsDevices) {
    const message = `join: ${nameOf(worker)} computes gradients in class "${device}", which rounds otherwise than the CPU, and this run was started with --numeric ${plan.welcome.numeric}; every worker must compute in that class. Start the worker with --backend cpu, or the run without --numeric.`;
    return { code: "E_NUMERIC_CLASS", message };
  }
  if (hello.numericClasses.includes(plan.welcome.numeric)) return undefined;
  const message = `join: ${nameOf(worker)} can compute in ${hello.numericClasses.join(", ") || "no numeric class"}, and this run is "${plan.welcome.numeric}"; every worker must compute in the run's class. Start the run with --numeric strict, or leave this machine out.`;
  return { code: "E_NUMERIC_CLASS", message };
}

/** Classes of GPUs: each adapter rounds in its own way. */
function isDeviceClass(numericClass: string): boolean {
  return numericClass.startsWith("webgpu:");
}

function welcome(turn: Turn, worker: WorkerRecord): void {
  const { plan, hasBegun, stored } = turn.state;
  // Where the run has begun its state comes from a member, or from the newest checkpoint. As long as there is none, all may be lost
  // and the run begin with this worker once more.
  const initFrom = plan.startStep === 0 && stored === undefined ? plan.welcome.initFrom : null;
  const body = hasBegun ? { ...plan.welcome, resume: null, initFrom } : plan.welcome;
  turn.update(worker.workerId, { status: "preparing", joinedAtMs: turn.nowMs });
  if (worker.hello.held === null)
    turn.send(worker.workerId, { name: "welcome", body: { ...body, workerId: worker.workerId } });
  else turn.send(worker.workerId, { name: "welcomeBack", body: { runId: body.runId, term: body.term } });
}

function noteSpare(turn: Turn, worker: WorkerRecord): void {
  const { state } = turn;
  const why = `${memberLimit(state)} workers are there already (maxWorkers ${state.plan.maxWorkers}, ${state.plan.numMicroBatches} micro-batches)`;
  const message = `${nameOf(worker)} waits as a spare: ${why}`;
  turn.log("notice", message, { workerId: worker.workerId });
  turn.send(worker.workerId, { name: "notice", body: { code: "SPARE", message } });
}

/** A place is free: the spare that has waited longest is asked to prepare. */
export function fillFromSpares(turn: Turn): void {
  for (const spare of turn.withStatus("spare")) {
    if (numTaken(turn.state) >= memberLimit(turn.state)) return;
    welcome(turn, spare);
  }
}

/** Sends a worker away; where all workers are needed to begin, that ends the run. */
export function refuseWorker(turn: Turn, worker: WorkerRecord, code: string, message: string): void {
  turn.log("refused", message, { workerId: worker.workerId, name: worker.name, code });
  const { hasBegun, plan, phase } = turn.state;
  const isNeeded = phase === "rendezvous" && !hasBegun && plan.joinFailure === "fail";
  sendAway(turn, worker, { code, message });
  if (isNeeded) fail(turn, code, message);
}

export function onReady(turn: Turn, worker: WorkerRecord, body: MessageBody<"ready">): void {
  if (worker.status !== "preparing") return;
  const { state } = turn;
  const { plan } = state;
  const isDevice = isDeviceClass(body.numericClass);
  if (isDevice ? !plan.admitsDevices : body.numericClass !== plan.welcome.numeric) {
    const message = `probe: ${nameOf(worker)} computed in class "${body.numericClass}"; this run is "${plan.welcome.numeric}".`;
    refuseWorker(turn, worker, "E_NUMERIC_CLASS", message);
    return;
  }
  if (body.grid.numMicroBatches !== plan.numMicroBatches) {
    const message = `probe: ${nameOf(worker)} has ${body.grid.numMicroBatches} micro-batches; this run has ${plan.numMicroBatches}.`;
    refuseWorker(turn, worker, "E_GRID", message);
    return;
  }
  const known = [...state.workers.values()].filter(({ ready }) => ready !== undefined);
  const reference = known.find(({ ready }) => ready!.numericClass === body.numericClass) ?? known[0];
  const objection = reference && compareReady(body, reference.ready!, nameOf(reference));
  if (objection !== undefined) {
    refuseWorker(turn, worker, objection.code, `probe: ${nameOf(worker)} ${objection.what}.`);
    return;
  }
  turn.update(worker.workerId, { status: "ready", ready: body, held: body.state });
  if (isDevice && !known.some(({ ready }) => isDeviceClass(ready!.numericClass))) {
    const message = `${nameOf(worker)} computes gradients in class "${body.numericClass}": from here on the bits depend on who computes what (L1 is off), and replicas still agree after every step. Give --numeric strict to refuse such workers.`;
    turn.log("notice", message, { workerId: worker.workerId, numericClass: body.numericClass });
  }
  turn.log("ready", `${nameOf(worker)} is ready, ${Math.round(body.prepareMs)} ms after its welcome`, {
    workerId: worker.workerId,
    probeHash: body.probe.hash,
    stateHash: body.state.stateHash,
    heldStep: body.state.step,
    layoutHash: body.layout.hash,
  });
  if (state.phase !== "rendezvous") startJoin(turn, turn.worker(worker.workerId)!);
}

/** A worker left before the run began. */
export function onLostBefore(turn: Turn, worker: WorkerRecord, reason: string): void {
  if (worker.status === "spare" || turn.state.plan.joinFailure !== "fail") return;
  const message = `join: ${nameOf(worker)} left before the first step (${reason}); ${turn.state.plan.minWorkers} workers must be there. Look at its own log.`;
  fail(turn, "E_WORKER_LOST", message);
}

/** Preparations that take too long. */
export function onPrepareTick(turn: Turn): void {
  const { prepareMs } = turn.state.plan.timeouts;
  for (const worker of turn.withStatus("preparing")) {
    if (turn.nowMs < worker.joinedAtMs + prepareMs) continue;
    const message = `join: ${nameOf(worker)} was not ready within ${prepareMs} ms of its welcome (prepareMs); it must have fetched the job and computed the probe by then. Look at its own log.`;
    refuseWorker(turn, worker, "E_PREPARE_TIMEOUT", message);
  }
}
