/** @file Who may take part, and when there are enough: hello, welcome, probe, spares, the join deadline. */
import { PROTOCOL_VERSION } from "@lockstep/protocol";
import type { CoordinatorEvent } from "../state/coordinator-events.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { compareReady } from "./compare-ready.js";
import { fail } from "./ending.js";
import { startGeneration } from "./generation.js";
import { nameOf, type Turn } from "./turn.js";

type Joined = Extract<CoordinatorEvent, { readonly kind: "joined" }>;

/** Most members: the plan's limit, and never more than there are micro-batches. */
export function memberLimit(state: CoordinatorState): number {
  return Math.min(state.plan.maxWorkers, state.plan.numMicroBatches);
}

export function onJoined(turn: Turn, { workerId, hello, ticket }: Joined): void {
  const { state } = turn;
  const isOpen = state.phase === "rendezvous" && candidates(state).length < memberLimit(state);
  const worker: WorkerRecord = {
    workerId,
    name: hello.name,
    order: state.numJoined,
    ticket,
    status: isOpen ? "preparing" : "spare",
    hello,
    ready: undefined,
    joinedAtMs: turn.nowMs,
  };
  turn.setWorker(worker);
  turn.set({ numJoined: state.numJoined + 1 });
  const objection = objectionToHello(state, worker);
  if (objection !== undefined) {
    refuseWorker(turn, worker, objection.code, objection.message);
    return;
  }
  turn.log("joined", `${nameOf(worker)} joined, ${hello.threads} threads, ${hello.platform}`, {
    workerId,
    name: hello.name,
    platform: hello.platform,
  });
  if (isOpen) welcome(turn, worker);
  else noteSpare(turn, worker);
  turn.set({ deadlineMs: rendezvousDeadline(turn.state) });
}

function objectionToHello(state: CoordinatorState, worker: WorkerRecord) {
  const { hello } = worker;
  const { plan } = state;
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
  if (hello.numericClasses.includes(plan.welcome.numeric)) return undefined;
  const message = `join: ${nameOf(worker)} can compute in ${hello.numericClasses.join(", ") || "no numeric class"}, and this run is "${plan.welcome.numeric}"; every worker must compute in the run's class. Start the run with --numeric strict, or leave this machine out.`;
  return { code: "E_NUMERIC_CLASS", message };
}

function welcome(turn: Turn, worker: WorkerRecord): void {
  turn.setWorker({ ...worker, status: "preparing", joinedAtMs: turn.nowMs });
  turn.send(worker.workerId, {
    name: "welcome",
    body: { ...turn.state.plan.welcome, workerId: worker.workerId },
  });
}

function noteSpare(turn: Turn, worker: WorkerRecord): void {
  const { state } = turn;
  const why =
    state.phase === "rendezvous"
      ? `${memberLimit(state)} workers are there already (maxWorkers ${state.plan.maxWorkers}, ${state.plan.numMicroBatches} micro-batches)`
      : "the run has begun";
  const message = `${nameOf(worker)} waits as a spare: ${why}`;
  turn.log("notice", message, { workerId: worker.workerId });
  turn.send(worker.workerId, { name: "notice", body: { code: "SPARE", message } });
}

/** Sends a worker away; where all workers are needed, that ends the run. */
export function refuseWorker(turn: Turn, worker: WorkerRecord, code: string, message: string): void {
  turn.log("refused", message, { workerId: worker.workerId, name: worker.name, code });
  turn.send(worker.workerId, { name: "refused", body: { code, message: message.slice(0, 4_000) } });
  turn.do({ kind: "close", workerId: worker.workerId, reason: code });
  turn.removeWorker(worker.workerId);
  if (turn.state.phase !== "rendezvous") return;
  if (turn.state.plan.joinFailure === "fail") fail(turn, code, message);
  else fillFromSpares(turn);
}

export function onReady(turn: Turn, worker: WorkerRecord, body: NonNullable<WorkerRecord["ready"]>): void {
  if (worker.status !== "preparing") return;
  const { state } = turn;
  const { plan } = state;
  if (body.numericClass !== plan.welcome.numeric) {
    const message = `probe: ${nameOf(worker)} computed in class "${body.numericClass}"; this run is "${plan.welcome.numeric}".`;
    refuseWorker(turn, worker, "E_NUMERIC_CLASS", message);
    return;
  }
  if (body.grid.numMicroBatches !== plan.numMicroBatches || body.state.step !== plan.startStep) {
    const message = `probe: ${nameOf(worker)} has ${body.grid.numMicroBatches} micro-batches at step ${body.state.step}; this run has ${plan.numMicroBatches} at step ${plan.startStep}.`;
    refuseWorker(turn, worker, "E_GRID", message);
    return;
  }
  const reference = readyWorkers(state)[0];
  const objection = reference && compareReady(body, reference.ready!, nameOf(reference));
  if (objection !== undefined) {
    refuseWorker(turn, worker, objection.code, `probe: ${nameOf(worker)} ${objection.what}.`);
    return;
  }
  turn.setWorker({ ...worker, status: "ready", ready: body });
  turn.log("ready", `${nameOf(worker)} is ready, ${Math.round(body.prepareMs)} ms after its welcome`, {
    workerId: worker.workerId,
    probeHash: body.probe.hash,
    stateHash: body.state.stateHash,
    layoutHash: body.layout.hash,
  });
  startIfEnough(turn);
}

/** A worker left before the run began. */
export function onLeftRendezvous(turn: Turn, worker: WorkerRecord, reason: string): void {
  if (worker.status !== "spare" && turn.state.plan.joinFailure === "fail") {
    const message = `join: ${nameOf(worker)} left before the first step (${reason}); ${turn.state.plan.minWorkers} workers must be there. Look at its own log.`;
    fail(turn, "E_WORKER_LOST", message);
    return;
  }
  fillFromSpares(turn);
}

export function onRendezvousTick(turn: Turn): void {
  const { timeouts } = turn.state.plan;
  for (const worker of candidates(turn.state)) {
    if (turn.state.phase !== "rendezvous") return;
    if (worker.status !== "preparing" || turn.nowMs < worker.joinedAtMs + timeouts.prepareMs) continue;
    const message = `join: ${nameOf(worker)} was not ready within ${timeouts.prepareMs} ms of its welcome (prepareMs); it must have fetched the job and computed the probe by then. Look at its own log.`;
    refuseWorker(turn, worker, "E_PREPARE_TIMEOUT", message);
  }
  if (turn.state.phase !== "rendezvous") return;
  const { state } = turn;
  if (turn.nowMs >= state.startedAtMs + timeouts.joinMs) {
    if (readyWorkers(state).length >= state.plan.minWorkers) {
      startGeneration(turn, readyWorkers(state).slice(0, memberLimit(state)), "the join deadline is over");
      return;
    }
    const numThere = candidates(state).length;
    if (numThere < state.plan.minWorkers) {
      const message = `rendezvous: ${numThere} of ${state.plan.minWorkers} workers joined within ${timeouts.joinMs} ms (--join-timeout); there must be ${state.plan.minWorkers}. Start more workers, or lower --min-workers.`;
      fail(turn, "E_JOIN_TIMEOUT", message);
      return;
    }
  }
  turn.set({ deadlineMs: rendezvousDeadline(state) });
}

function startIfEnough(turn: Turn): void {
  const { state } = turn;
  const ready = readyWorkers(state);
  const numPreparing = candidates(state).length - ready.length;
  const { minWorkers } = state.plan;
  if (ready.length >= memberLimit(state) || (ready.length >= minWorkers && numPreparing === 0)) {
    startGeneration(turn, ready.slice(0, memberLimit(state)), `${ready.length} workers are ready`);
    return;
  }
  const numMissing = Math.max(0, minWorkers - ready.length - numPreparing);
  const what = numMissing > 0 ? `${numMissing} more to join` : `${numPreparing} to be ready`;
  const message = `${ready.length} of at least ${minWorkers} workers ready; waiting for ${what}`;
  turn.log("notice", message);
  for (const worker of ready) turn.send(worker.workerId, { name: "notice", body: { code: "WAITING", message } });
  turn.set({ deadlineMs: rendezvousDeadline(turn.state) });
}

function fillFromSpares(turn: Turn): void {
  const spare = [...turn.state.workers.values()].find((worker) => worker.status === "spare");
  if (spare !== undefined && candidates(turn.state).length < memberLimit(turn.state)) welcome(turn, spare);
  turn.set({ deadlineMs: rendezvousDeadline(turn.state) });
  if (readyWorkers(turn.state).length >= turn.state.plan.minWorkers) startIfEnough(turn);
}

function candidates(state: CoordinatorState): WorkerRecord[] {
  return [...state.workers.values()].filter(({ status }) => status === "preparing" || status === "ready");
}

function readyWorkers(state: CoordinatorState): WorkerRecord[] {
  return candidates(state)
    .filter(({ status }) => status === "ready")
    .sort((a, b) => a.order - b.order);
}

/** The join deadline while it matters, else the first preparation that runs out. */
function rendezvousDeadline(state: CoordinatorState): number {
  if (state.phase !== "rendezvous") return state.deadlineMs;
  const { timeouts, minWorkers } = state.plan;
  const joinDeadline = state.startedAtMs + timeouts.joinMs;
  const preparing = candidates(state)
    .filter(({ status }) => status === "preparing")
    .map(({ joinedAtMs }) => joinedAtMs + timeouts.prepareMs);
  const isEnoughThere = candidates(state).length >= minWorkers;
  const isEnoughReady = readyWorkers(state).length >= minWorkers;
  return Math.min(isEnoughThere && !isEnoughReady ? Number.POSITIVE_INFINITY : joinDeadline, ...preparing);
}
