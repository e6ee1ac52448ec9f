/**
 * @file The control messages of this version, byte for byte. `control-messages.hex.json` holds one literal frame of each:
 * a change of a frame or of the table without a new PROTOCOL_VERSION fails here.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ControlMessageName,
  controlCodec,
  controlMessages,
  type MessageBody,
} from "../control/control-messages.js";
import { ProtocolError } from "../errors.js";
import { PROTOCOL_VERSION } from "../version.js";
import { messageTable } from "./message-table.js";

const sha = "0123456789abcdef".repeat(4);
const hash = "00112233445566778899aabbccddeeff";
const assignment = {
  step: 3,
  generation: 1,
  attempt: 1,
  nodesByRank: [[[0, 2] as [number, number]], [[2, 4] as [number, number]]],
  lossScale: 65_536,
};
const files = [{ name: "model.safetensors", sha256: sha, byteLength: 3_400_000 }];

const bodies: { readonly [Name in ControlMessageName]: MessageBody<Name> } = {
  hello: {
    protocolVersion: 3,
    numericsVersion: 1,
    lockstepVersion: "0.1.0",
    workerId: "w-3f2a",
    name: "laptop",
    numericClasses: ["strict", "fused"],
    threads: 2,
    listenUrls: ["ws://192.168.1.7:40123"],
    canDial: true,
    platform: "linux x64 node 20.20.2",
    held: { runId: "run-1", term: 1, step: 3, stateHash: hash, reported: { step: 4, gradientHash: hash } },
  },
  welcome: {
    runId: "run-1",
    term: 2,
    workerId: "w-3f2a",
    jobName: "char-gpt",
    jobBundle: { sha256: sha, byteLength: 12_345 },
    configJson: '{"totalSteps":30}',
    files: [{ logicalName: "text", path: "sotu.txt", sha256: sha, byteLength: 70_000 }],
    seed: 7,
    numeric: "strict",
    threads: null,
    initFrom: null,
    resume: { step: 10, files },
    stopStep: 30,
    heartbeatIntervalMs: 500,
    heartbeatTimeoutMs: 2_000,
    reconnectTimeoutMs: 60_000,
    maxChunkBytes: 1_048_576,
  },
  refused: { code: "E_NUMERICS_VERSION", message: "numericsVersion is 2; it must be 1." },
  notice: { code: "I_SPARE", message: "waiting as a spare" },
  ready: {
    numericClass: "strict",
    layout: { hash, gradientFloats: 825_000, numTensors: 50 },
    probe: { hash, tensors: [{ name: "blocks.0.attention.weight", hash }] },
    state: { step: 0, stateHash: hash },
    grid: { numMicroBatches: 4, numEvalMicroBatches: 8, samplesPerStep: 16 },
    prepareMs: 812.5,
  },
  welcomeBack: { runId: "run-1", term: 2 },
  blobGet: { sha256: sha, offset: 1_048_576, maxBytes: 65_536 },
  blobChunk: { sha256: sha, offset: 0, byteLength: 3, bytes: Uint8Array.of(1, 2, 255) },
  blobPut: { sha256: sha, offset: 0, byteLength: 2, bytes: Uint8Array.of(0, 128) },
  blobAck: { sha256: sha, nextOffset: 2, isComplete: true },
  blobError: { sha256: sha, code: "E_BLOB_UNKNOWN", message: "no such blob" },
  startGeneration: {
    generation: 1,
    members: [
      { rank: 0, workerId: "w-3f2a", name: "laptop", listenUrls: ["ws://127.0.0.1:40123"], ticket: hash },
      { rank: 1, workerId: "w-91c0", name: "tablet", listenUrls: [], ticket: hash },
    ],
    numMicroBatches: 4,
    reason: "2 of 2 workers are ready",
  },
  linkReport: { generation: 1, links: [{ rank: 1, isDirect: false, reason: "it does not listen" }] },
  routes: {
    generation: 1,
    relayPairs: [
      [0, 1],
      [1, 0],
    ],
  },
  assign: { assignment },
  stepReport: {
    step: 3,
    generation: 1,
    attempt: 1,
    gradientHash: hash,
    previous: { stateHash: hash, gradNorm: 0.75, learningRate: 0.001 },
    losses: [
      [0, 1_234.5, 512],
      [1, 1_230.25, 512],
    ],
    overflows: [[1, 16_384]],
    numTokens: 1_024,
    computeMs: 80.5,
    commMs: 3.25,
    bytesSent: 3_300_000,
    nodeSquares: [[0, 2, 0.5]],
  },
  commit: {
    step: 3,
    generation: 1,
    attempt: 1,
    gradientHash: hash,
    next: { ...assignment, step: 4 },
    snapshotRank: 0,
    gradientRank: null,
    isLast: false,
  },
  applied: { step: 3, generation: 1, stateHash: hash, gradNorm: null, learningRate: null },
  evaluated: { step: 3, generation: 1, losses: [[0, 99.5, 40]], evalMs: 12 },
  evaluate: { step: 3, generation: 1, ranges: [[0, 4]] },
  progress: { step: 4, generation: 1, attempt: 0, begunNodes: 1, doneMicroBatches: 2 },
  stepFailed: {
    step: 4,
    generation: 1,
    attempt: 0,
    code: "E_FRAME_REFUSED",
    message: "node [0, 2) twice",
    accusedId: "w-91c0",
    node: [0, 2],
    tensor: null,
  },
  abortStep: { step: 4, generation: 1, attempt: 1, reason: "worker laptop is gone" },
  checkpointRequest: { generation: 1, step: 3, reason: "the run was interrupted" },
  checkpointDone: { generation: 1, step: 3, stateHash: hash, files, paramsSha256: sha },
  checkpointFailed: { generation: 1, step: 3, code: "E_BLOB_DISK", message: "no space left" },
  restore: { step: 3, stateHash: hash, files },
  applyGradient: { step: 4, gradient: { sha256: sha, byteLength: 3_300_000 } },
  applyKept: { step: 4, gradientHash: hash },
  gradientStored: { step: 4, gradient: { sha256: sha, byteLength: 3_300_000 } },
  level: { step: 4, stateHash: hash },
  heartbeat: { sequence: 41 },
  pong: { sequence: 41 },
  workerError: {
    phase: "step",
    code: "E_NOT_FINITE",
    message: "loss is NaN",
    step: 3,
    tensor: null,
    isStateIntact: true,
  },
  stop: { status: "completed", code: "I_DONE", reason: "step 30 is committed" },
  goodbye: { reason: "stopped" },
};

const fixtureFile = new URL("./control-messages.hex.json", import.meta.url);
const frames = JSON.parse(readFileSync(fixtureFile, "utf8")) as Readonly<Record<string, string>>;
const names = controlMessages.map(({ name }) => name);
const senderOf = (name: ControlMessageName): "worker" | "coordinator" =>
  controlMessages.find((row) => row.name === name)?.direction === "workerToCoordinator" ? "worker" : "coordinator";

describe("control messages", () => {
  test("every message has a literal frame, and no frame is without its message", () => {
    expect(Object.keys(frames)).toEqual(names);
  });

  test.each(names)("%s has the literal bytes of this version, both ways", (name) => {
    const bytes = controlCodec.encodeControl(name, bodies[name]);
    expect(Buffer.from(bytes).toString("hex")).toBe(frames[name]);
    const decoded = controlCodec.decodeControl(Uint8Array.from(Buffer.from(frames[name]!, "hex")), senderOf(name));
    expect(decoded).toEqual({ name, body: bodies[name] });
  });

  test("the table is that of this version: changing it needs another PROTOCOL_VERSION", () => {
    expect(`version ${PROTOCOL_VERSION}\n${messageTable(controlMessages)}`).toMatchInlineSnapshot(`
      "version 3
      1 hello workerToCoordinator 8192 since 1
      2 welcome coordinatorToWorker 8388608 since 1
      3 refused coordinatorToWorker 16384 since 1
      4 notice coordinatorToWorker 16384 since 1
      5 ready workerToCoordinator 2097152 since 1
      6 welcomeBack coordinatorToWorker 1024 since 2
      16 blobGet workerToCoordinator 1024 since 1
      17 blobChunk coordinatorToWorker 1052672 since 1
      18 blobPut workerToCoordinator 1052672 since 1
      19 blobAck coordinatorToWorker 1024 since 1
      20 blobError coordinatorToWorker 16384 since 1
      32 startGeneration coordinatorToWorker 1048576 since 1
      33 linkReport workerToCoordinator 1048576 since 1
      34 routes coordinatorToWorker 1048576 since 1
      48 assign coordinatorToWorker 1048576 since 1
      49 stepReport workerToCoordinator 4194304 since 1
      50 commit coordinatorToWorker 1048576 since 1
      51 applied workerToCoordinator 4096 since 1
      52 evaluated workerToCoordinator 4194304 since 1
      53 abortStep coordinatorToWorker 16384 since 1
      54 evaluate coordinatorToWorker 1048576 since 2
      55 progress workerToCoordinator 1024 since 2
      56 stepFailed workerToCoordinator 65536 since 2
      64 checkpointRequest coordinatorToWorker 16384 since 1
      65 checkpointDone workerToCoordinator 65536 since 1
      66 checkpointFailed workerToCoordinator 16384 since 2
      67 restore coordinatorToWorker 65536 since 2
      68 applyGradient coordinatorToWorker 4096 since 2
      69 applyKept coordinatorToWorker 4096 since 2
      70 gradientStored workerToCoordinator 4096 since 2
      71 level workerToCoordinator 4096 since 2
      80 heartbeat workerToCoordinator 1024 since 1
      81 pong coordinatorToWorker 1024 since 1
      82 workerError workerToCoordinator 65536 since 1
      83 stop coordinatorToWorker 16384 since 1
      84 goodbye workerToCoordinator 16384 since 1"
    `);
  });

  test.each([0.5, 3, 2 ** 41, Number.POSITIVE_INFINITY])("a loss scale of %d is refused", (lossScale) => {
    const body = { assignment: { ...assignment, lossScale } };
    expect(() => controlCodec.encodeControl("assign", body)).toThrow(
      expect.objectContaining({ code: "E_MESSAGE_BODY", message: expect.stringContaining("assignment.lossScale") }),
    );
  });

  test("a changed byte gives a message or a ProtocolError", () => {
    const flips = fc.tuple(fc.constantFrom(...names), fc.nat(), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(flips, ([name, at, value]) => {
        const bytes = Uint8Array.from(Buffer.from(frames[name]!, "hex"));
        bytes[at % bytes.length] = value;
        try {
          return names.includes(controlCodec.decodeControl(bytes, senderOf(name)).name);
        } catch (error) {
          return error instanceof ProtocolError;
        }
      }),
      { numRuns: 4_000, seed: 14 },
    );
  });
});
