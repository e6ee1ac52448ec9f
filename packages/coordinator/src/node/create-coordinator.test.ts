import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeRelayHeader, relayPath, ticketHeader } from "@lockstep/protocol";
import { expect, test } from "vitest";
import { verifyCheckpoint } from "./checkpoint-folder.js";
import { Journal } from "./journal.js";
import { BareWorker, newRunDir, realClock, sha256Of, startCoordinator, token } from "./socket-run.testkit.js";

function linesOf(dir: string, name: string): Record<string, unknown>[] {
  const text = readFileSync(join(dir, name), "utf8");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function twoSteps(url: string): Promise<void> {
  const workers = [new BareWorker(url), new BareWorker(url)];
  const begun = await Promise.all(workers.map((worker, i) => worker.begin(`w${i}`)));
  for (const step of [1, 2]) {
    for (const [i, worker] of workers.entries()) worker.report(step, begun[i]!.rank);
    await Promise.all(workers.map((worker) => worker.next("commit")));
  }
  for (const worker of workers) worker.applied(2);
  await workers[begun.findIndex(({ rank }) => rank === 0)]!.saveCheckpoint(2);
  await Promise.all(workers.map((worker) => worker.end()));
}

test("a run over real sockets leaves metrics, events, a checked checkpoint and a summary, and no lock", async () => {
  const dir = newRunDir();
  const coordinator = await startCoordinator(dir);
  await twoSteps(coordinator.url);
  const summary = await coordinator.finished;
  expect(summary).toMatchObject({ status: "completed", steps: 2, worldSize: 2, trainLoss: 1.5, samplesSeen: 16 });
  expect(JSON.parse(readFileSync(join(dir, "summary.json"), "utf8"))).toEqual(summary);
  expect(linesOf(dir, "metrics.jsonl").map(({ step, loss, gradNorm }) => [step, loss, gradNorm])).toEqual([
    [1, 1.5, 1],
    [2, 1.5, 1],
  ]);
  const events = linesOf(dir, "events.jsonl");
  expect(events.filter(({ type }) => type === "commit").map(({ step }) => step)).toEqual([1, 2]);
  expect(events.every(({ reason, time }) => typeof reason === "string" && time === "1970-01-01T00:00:00.000Z")).toBe(
    true,
  );
  const manifest = await verifyCheckpoint(join(dir, "checkpoints/step-000002"));
  expect(manifest.paramsSha256).toBe(summary.paramsSha256);
  expect(readdirSync(join(dir, "checkpoints"))).toEqual(["step-000002"]);
  expect(existsSync(join(dir, "lock"))).toBe(false);
});

test("the token is nowhere in what a run writes", async () => {
  const dir = newRunDir();
  const coordinator = await startCoordinator(dir);
  await twoSteps(coordinator.url);
  await coordinator.finished;
  for (const name of ["events.jsonl", "metrics.jsonl", "summary.json"])
    expect(readFileSync(join(dir, name), "utf8")).not.toContain(token);
});

test("a worker killed in the middle of a step costs nothing: the other one goes on alone, and the journal has both", async () => {
  const dir = newRunDir();
  const coordinator = await startCoordinator(dir, { stopAtStep: 2, minWorkersToGoOn: 1 });
  const workers = [new BareWorker(coordinator.url), new BareWorker(coordinator.url)] as const;
  const begun = await Promise.all(workers.map((worker, i) => worker.begin(`w${i}`)));
  for (const [i, worker] of workers.entries()) worker.report(1, begun[i]!.rank);
  await Promise.all(workers.map((worker) => worker.next("commit")));
  workers[1].socket.terminate();
  const { generation, members } = await workers[0].next("startGeneration");
  expect([generation, members.map(({ workerId }) => workerId)]).toEqual([2, ["w0"]]);
  workers[0].send({ name: "linkReport", body: { generation, links: [] } });
  const { assignment } = await workers[0].next("assign");
  expect(assignment.nodesByRank.flat().reduce((sum, [lo, hi]) => sum + hi - lo, 0)).toBe(4);
  workers[0].report(2, 0, { generation });
  expect(await workers[0].next("commit")).toMatchObject({ step: 2, snapshotRank: 0 });
  workers[0].applied(2);
  await workers[0].saveCheckpoint(2);
  expect(await workers[0].end()).toMatchObject({ status: "completed" });
  expect(await coordinator.finished).toMatchObject({ status: "completed", steps: 2, generation: 2 });
  expect((await verifyCheckpoint(join(dir, "checkpoints/step-000002"))).step).toBe(2);
  const { history } = Journal.open(dir);
  expect(history).toMatchObject({ committedStep: 2, generation: 2, members: [], isCopy: false });
});

test("GET /status says how the run is, to whoever has the token", async () => {
  const coordinator = await startCoordinator(newRunDir());
  const url = `${coordinator.url.replace("ws:", "http:")}/status`;
  expect((await fetch(url)).status).toBe(401);
  const worker = new BareWorker(coordinator.url);
  await worker.opened();
  worker.hello("w0");
  await worker.next("welcome");
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  expect(await answer.json()).toMatchObject({
    schema: 1,
    phase: "rendezvous",
    step: 0,
    stopStep: 2,
    term: 1,
    waiting: expect.stringMatching(/^1 of at least 2 workers are there/),
    workers: [{ workerId: "w0", status: "preparing", rank: null, strikes: 0 }],
  });
  await coordinator.dispose();
});

test("a wrong token, and none, are answered 401 on the control channel and on the relay", async () => {
  const coordinator = await startCoordinator(newRunDir());
  for (const wrong of ["wrong", null]) {
    for (const path of ["/v1/control", relayPath]) {
      const stranger = new BareWorker(coordinator.url, wrong, path);
      await expect(stranger.opened()).rejects.toThrow("status 401");
    }
  }
  await coordinator.dispose();
});

test("a relay socket needs a ticket of this generation", async () => {
  const coordinator = await startCoordinator(newRunDir());
  const stranger = new BareWorker(coordinator.url, token, relayPath, { [ticketHeader]: "0".repeat(32) });
  await expect(stranger.opened()).rejects.toThrow("status 403");
  await coordinator.dispose();
});

test("relayed frames reach their destination unchanged; one that lies about its rank closes the socket", async () => {
  const coordinator = await startCoordinator(newRunDir());
  const workers = [new BareWorker(coordinator.url), new BareWorker(coordinator.url)];
  const begun = await Promise.all(workers.map((worker, i) => worker.begin(`w${i}`)));
  const relays = begun.map(
    ({ ticket }) => new BareWorker(coordinator.url, token, relayPath, { [ticketHeader]: ticket }),
  );
  await Promise.all(relays.map((relay) => relay.opened()));
  const [from, to] = begun.map(({ rank }) => rank) as [number, number];
  const frame = Buffer.concat([
    encodeRelayHeader({ generation: 1, sourceRank: from, destinationRank: to }),
    Buffer.from("payload, unread"),
  ]);
  const received = new Promise<Buffer>((resolve) => {
    relays[1]!.socket.once("message", (data: Buffer) => resolve(data));
  });
  relays[0]!.socket.send(frame);
  expect(await received).toEqual(frame);
  relays[1]!.socket.send(frame);
  expect(await relays[1]!.closed).toBe(4008);
  await coordinator.dispose();
});

test("another protocol version is refused with both versions in the message", async () => {
  const coordinator = await startCoordinator(newRunDir(), { joinFailure: "refuse" });
  const worker = new BareWorker(coordinator.url);
  await worker.opened();
  const bytes = Buffer.alloc(9);
  bytes.write("LC");
  bytes.writeUInt16LE(99, 2);
  bytes.writeUInt16LE(1, 4);
  worker.socket.send(bytes);
  const refused = await worker.next("refused");
  expect(refused.code).toBe("E_PROTOCOL_VERSION");
  expect(refused.message).toContain("version 99");
  await worker.closed;
  await coordinator.dispose();
});

test("garbage before the hello, and a first message that is no hello, close the socket and hurt nobody", async () => {
  const coordinator = await startCoordinator(newRunDir());
  const garbage = new BareWorker(coordinator.url);
  await garbage.opened();
  garbage.socket.send(Buffer.from([1, 2, 3]));
  expect(await garbage.closed).toBe(4008);
  const early = new BareWorker(coordinator.url);
  await early.opened();
  early.send({ name: "goodbye", body: { reason: "hi" } });
  expect(await early.closed).toBe(4008);
  await coordinator.dispose();
});

test("a peer that never says hello is cut off after its deadline", async () => {
  const coordinator = await startCoordinator(newRunDir(), { limits: { helloTimeoutMs: 1 } });
  const silent = new BareWorker(coordinator.url);
  expect(await silent.closed).toBe(1006);
  await coordinator.dispose();
});

test("of two connections that claim one identity the newer wins, and the older is told", async () => {
  const coordinator = await startCoordinator(newRunDir(), { joinFailure: "refuse" });
  const first = new BareWorker(coordinator.url);
  await first.opened();
  first.hello("same");
  await first.next("welcome");
  const second = new BareWorker(coordinator.url);
  await second.opened();
  second.hello("same");
  expect((await first.next("refused")).code).toBe("E_REPLACED");
  expect((await second.next("welcome")).workerId).toBe("same");
  await coordinator.dispose();
});

test("a copied run directory is refused unless it is forked, and a fork is a run of its own", async () => {
  const dir = newRunDir();
  const first = await startCoordinator(dir);
  await twoSteps(first.url);
  await first.finished;
  const copy = `${dir}-copy`;
  cpSync(dir, copy, { recursive: true });
  const resume = { checkpointDir: join(copy, "checkpoints/step-000002"), step: 2 };
  await expect(startCoordinator(copy, { resume, stopAtStep: 3 })).rejects.toMatchObject({ code: "E_RUN_COPY" });
  const forked = await startCoordinator(copy, { resume, stopAtStep: 3, fork: true });
  await forked.dispose();
  const runs = [dir, copy].map((folder) => Journal.open(folder).history.run!);
  expect(runs[1]!.runId).not.toBe(runs[0]!.runId);
  expect(runs[1]!.term).toBe(1);
  const again = await startCoordinator(dir, {
    resume: { ...resume, checkpointDir: join(dir, "checkpoints/step-000002") },
    stopAtStep: 3,
  });
  await again.dispose();
  expect(Journal.open(dir).history.run).toMatchObject({ runId: runs[0]!.runId, term: 2 });
});

test("blobs are served in chunks from any offset, and one that is not there is an error to the asker alone", async () => {
  const coordinator = await startCoordinator(newRunDir());
  const worker = new BareWorker(coordinator.url);
  await worker.opened();
  worker.hello("w0");
  const { jobBundle } = await worker.next("welcome");
  worker.send({ name: "blobGet", body: { sha256: jobBundle.sha256, offset: 7, maxBytes: 7 } });
  const chunk = await worker.next("blobChunk");
  expect(new TextDecoder().decode(chunk.bytes)).toBe("default");
  expect(chunk.byteLength).toBe(jobBundle.byteLength);
  const sha256 = sha256Of("nothing");
  worker.send({ name: "blobGet", body: { sha256, offset: 0, maxBytes: 7 } });
  expect(await worker.next("blobError")).toMatchObject({ sha256, code: "E_BLOB_MISSING" });
  await coordinator.dispose();
});

test("while steps go on blobs keep to the rate, and nothing else waits for them", async () => {
  const held: (() => void)[] = [];
  const clock = {
    nowMs: () => 0,
    schedule: (delayMs: number, callback: () => void) => {
      if (delayMs !== 700) return realClock.schedule(delayMs, callback);
      held.push(callback);
      return () => {};
    },
  };
  const coordinator = await startCoordinator(newRunDir(), { clock, limits: { stateTransferRate: 10 } });
  const workers = [new BareWorker(coordinator.url), new BareWorker(coordinator.url)] as const;
  await Promise.all(workers.map((worker, i) => worker.begin(`w${i}`)));
  const [worker] = workers;
  const sha256 = sha256Of("export default 1;\n");
  for (const offset of [0, 7]) worker.send({ name: "blobGet", body: { sha256, offset, maxBytes: 7 } });
  worker.send({ name: "heartbeat", body: { sequence: 9 } });
  expect(await worker.next("blobChunk")).toMatchObject({ offset: 0 });
  expect(await worker.next("pong")).toEqual({ sequence: 9 });
  // 7 bytes at 10 bytes a second: the next ones may go after 700 ms.
  await expect.poll(() => held.length).toBe(1);
  held[0]!();
  expect(await worker.next("blobChunk")).toMatchObject({ offset: 7 });
  await coordinator.dispose();
});

test("a port that is taken, an address without a token, a directory in use: each is refused before anything starts", async () => {
  const dir = newRunDir();
  const coordinator = await startCoordinator(dir);
  await expect(startCoordinator(newRunDir(), { port: coordinator.port })).rejects.toMatchObject({
    code: "E_PORT_IN_USE",
  });
  await expect(startCoordinator(dir)).rejects.toMatchObject({ code: "E_RUN_IN_USE" });
  const open = { host: "0.0.0.0", token: undefined } as unknown as { readonly host: string };
  await expect(startCoordinator(newRunDir(), open)).rejects.toMatchObject({
    code: "E_TOKEN_REQUIRED",
  });
  await expect(startCoordinator(newRunDir(), { minWorkers: 5, maxWorkers: 5 })).rejects.toMatchObject({
    code: "E_TOO_MANY_WORKERS",
  });
  for (const lossScaling of [{ initial: 3 }, { initial: 0.5 }, { initial: 4, max: 2 }, { growthSteps: 0 }]) {
    await expect(startCoordinator(newRunDir(), { lossScaling })).rejects.toMatchObject({ code: "E_LOSS_SCALE" });
  }
  await coordinator.dispose();
});

test("a resumed run moves later lines aside, welcomes with the checkpoint and goes on counting", async () => {
  const dir = newRunDir();
  const first = await startCoordinator(dir);
  await twoSteps(first.url);
  await first.finished;
  const resume = { checkpointDir: join(dir, "checkpoints/step-000002"), step: 2 };
  const second = await startCoordinator(dir, { resume, stopAtStep: 3, minWorkers: 1, maxWorkers: 1 });
  const worker = new BareWorker(second.url);
  const { rank } = await worker.begin("solo");
  worker.send({
    name: "stepReport",
    body: {
      step: 3,
      generation: 2,
      attempt: 0,
      gradientHash: "b".repeat(32),
      previous: { stateHash: "a".repeat(32), gradNorm: null, learningRate: null },
      losses: [0, 1, 2, 3].map((m): [number, number, number] => [m, 1, 1]),
      numTokens: null,
      computeMs: 1,
      commMs: 0,
      bytesSent: 0,
      nodeSquares: [],
    },
  });
  expect(await worker.next("commit")).toMatchObject({ step: 3, snapshotRank: rank });
  worker.applied(3);
  await worker.saveCheckpoint(3);
  await worker.end();
  expect(await second.finished).toMatchObject({ status: "completed", steps: 3, worldSize: 1 });
  expect(linesOf(dir, "metrics.jsonl").map(({ step }) => step)).toEqual([1, 2, 3]);
});

test("a resumed checkpoint with a flipped byte is refused by name", async () => {
  const dir = newRunDir();
  const first = await startCoordinator(dir);
  await twoSteps(first.url);
  await first.finished;
  const checkpointDir = join(dir, "checkpoints/step-000002");
  const path = join(checkpointDir, "model.safetensors");
  const bytes = readFileSync(path);
  bytes[3]! ^= 1;
  writeFileSync(path, bytes);
  const resumed = startCoordinator(dir, { resume: { checkpointDir, step: 2 }, stopAtStep: 3 });
  await expect(resumed).rejects.toMatchObject({ code: "E_CHECKPOINT", fields: { file: path } });
});

test("stop before anyone joined ends at once with an interrupted summary", async () => {
  const coordinator = await startCoordinator(newRunDir());
  coordinator.stop("Ctrl-C");
  expect(await coordinator.finished).toMatchObject({ status: "interrupted", steps: 0 });
});

test("nobody joins: the run fails with the code of the join timeout", async () => {
  const coordinator = await startCoordinator(newRunDir(), { joinTimeoutMs: 1 });
  expect(await coordinator.finished).toMatchObject({ status: "failed", error: { code: "E_JOIN_TIMEOUT" } });
});
