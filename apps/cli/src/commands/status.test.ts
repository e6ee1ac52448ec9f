import { createServer, type RequestListener, type Server } from "node:http";
import type { StatusReport, StatusWorker } from "@lockstep/coordinator/node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runProgram } from "../program.js";
import { fetchStatus, StatusError } from "../status/fetch-status.js";

const token = "a-token-of-the-test";
let server: Server | undefined;
let stdout = "";
let stderr = "";
beforeEach(() => {
  stdout = "";
  stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  vi.stubEnv("LOCKSTEP_TOKEN", token);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
  server = undefined;
});

/** @returns the ws:// address at which `answer` answers. */
async function serve(answer: RequestListener): Promise<string> {
  server = createServer(answer);
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
}

const fast: StatusWorker = {
  workerId: "w-1",
  name: "desk",
  status: "member",
  rank: 1,
  step: 41,
  numericClass: "strict",
  platform: "linux",
  microBatches: 12,
  microBatchMs: 3.25,
  silentMs: 120,
  strikes: 0,
  computeMs: 39,
  commMs: 6.5,
  bytesSent: 3_145_728,
};
const suspect: StatusWorker = { ...fast, workerId: "w-2", name: "laptop", status: "suspect", rank: 0, microBatches: 4 };
const joining: StatusWorker = {
  ...{ ...fast, workerId: "w-3", name: "late", status: "joining", rank: null, step: null, numericClass: null },
  ...{ microBatches: 0, microBatchMs: null, computeMs: null, commMs: null, bytesSent: null },
};

const report: StatusReport = {
  ...{ schema: 1, runId: "5e1f", term: 2, jobName: "char-gpt", phase: "stepping", step: 41, stopStep: 400 },
  ...{ generation: 3, attempt: 1, waiting: null },
  workers: [joining, fast, { ...suspect, silentMs: 2_300, strikes: 1 }],
  banned: [{ workerId: "w-9", name: "bad", reason: "3 strikes" }],
  lastStep: { ...{ stepMs: 60, computeMs: 39, commMs: 12, bytesSent: 2_048 }, tokensPerSec: 12_345, samplesPerSec: 99 },
  ...{ medianStepMs: 58.25, trainLoss: 2.5, evalLoss: 2.25, metrics: { accuracy: 0.5 } },
  checkpoint: { step: 40, ageMs: 61_000, reason: "interval" },
  bestCheckpoint: { step: 20, evalLoss: 2.25 },
  ...{ checkpointError: "ENOSPC", wallMs: 125_000 },
};

test("prints the run, the split of a step's time, the age of the checkpoint, and a table of the workers by rank", async () => {
  let asked: unknown;
  const url = await serve((request, response) => {
    asked = [request.method, request.url, request.headers.authorization];
    response.end(JSON.stringify(report));
  });
  expect(await runProgram(["status", url])).toBe(0);
  expect(asked).toEqual(["GET", "/status", `Bearer ${token}`]);
  expect(stderr).toBe("");
  expect(stdout).toMatchInlineSnapshot(`
    "char-gpt: stepping, step 41 of 400, generation 3, attempt 1
    run 5e1f, term 2, for 2m05s
    step time: 60.0 ms, median 58.3 ms = compute 39.0 ms (65 %) + exchange 12.0 ms (20 %) + rest 9.0 ms (15 %); 12.3k tokens/s, 2.0 KiB sent per worker
    train loss 2.5000, held-out loss 2.2500, accuracy 0.5000
    checkpoint: step 40, 1m01s old (interval); best of step 20, held-out loss 2.2500
    checkpoint failed: ENOSPC

    worker  rank  status   step  share  ms/micro-batch  compute  exchange     sent  silent  strikes  class
    laptop     0  suspect    41   4/16             3.3  39.0 ms    6.5 ms  3.0 MiB    2.3s        1  strict
    desk       1  member     41  12/16             3.3  39.0 ms    6.5 ms  3.0 MiB    0.1s        0  strict
    late       -  joining     -      -               -        -         -        -    0.1s        0  -
    banned: bad (w-9): 3 strikes
    "
  `);
});

test("says for whom a run waits, and that there is nothing yet", async () => {
  const empty: StatusReport = {
    ...report,
    ...{ phase: "rendezvous", waiting: "2 more workers, until 14:05", workers: [], banned: [], lastStep: null },
    ...{ checkpoint: null, bestCheckpoint: null, checkpointError: null, evalLoss: null, metrics: null },
  };
  const url = await serve((_, response) => response.end(JSON.stringify(empty)));
  expect(await runProgram(["status", url])).toBe(0);
  expect(stdout.split("\n").slice(2)).toEqual([
    "waiting: 2 more workers, until 14:05",
    "step time: none committed yet",
    "train loss 2.5000, held-out loss none",
    "checkpoint: none yet",
    "",
    "no workers",
    "",
  ]);
});

test("--json prints the report as it came", async () => {
  const url = await serve((_, response) => response.end(JSON.stringify(report)));
  expect(await runProgram(["status", url, "--json"])).toBe(0);
  expect(JSON.parse(stdout)).toEqual(report);
});

test.each([
  ["a wrong token", 401, "", "E_STATUS_TOKEN"],
  ["a coordinator without /status", 426, "Lockstep coordinator: WebSocket only.\n", "E_STATUS_VERSION"],
  ["another schema", 200, '{"schema":2}', "E_STATUS_VERSION"],
  ["something that is no coordinator", 200, "<html>", "E_STATUS_ANSWER"],
  ["an error of the server", 500, '{"schema":1}', "E_STATUS_ANSWER"],
])("exits 1 for %s", async (_what, httpStatus, body, code) => {
  const url = await serve((_request, response) => response.writeHead(httpStatus).end(body));
  expect(await runProgram(["status", url])).toBe(1);
  expect(stderr).toContain(`(${code})`);
  expect(stderr).toContain(url);
  expect(stdout).toBe("");
});

test("exits 1 where nobody listens, and says so", async () => {
  const url = await serve(() => {});
  await new Promise((resolve) => server!.close(resolve));
  server = undefined;
  expect(await runProgram(["status", url])).toBe(1);
  expect(stderr.replace(/:\d+ /, ":PORT ")).toMatchInlineSnapshot(`
    "error: status: nothing answers at ws://127.0.0.1:PORT (ECONNREFUSED); a coordinator must listen there. Check the URL, and whether the run is over. (E_STATUS_UNREACHABLE)
    "
  `);
});

test("does not wait for ever for an answer", async () => {
  const url = await serve(() => {});
  const asked = fetchStatus(url, token, { timeoutMs: 50 });
  await expect(asked).rejects.toThrow(StatusError);
  await expect(asked).rejects.toThrow("no answer within 50 ms");
});
