/**
 * What worker a sends to the two others goes through a fault proxy: the receiver dials, so they dial a through it, and gradients flow
 * toClient.
 */
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { cleanUp } from "../e2e/lockstep-process.js";
import { disturbedRun } from "./lib/disturbed-run.js";
import { TcpFaultProxy } from "./tcp-fault-proxy.js";

let proxy: TcpFaultProxy | undefined;
afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
  await cleanUp();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function breakLink(hurt: (proxy: TcpFaultProxy) => void, { minWorkers = 1, totalSteps = 250 } = {}) {
  const port = await freePort();
  proxy = await TcpFaultProxy.start({ targetPort: port });
  const redirect = [port, proxy.port] as const;
  const workers = { a: { listen: `127.0.0.1:${port}` }, b: { redirect }, c: { redirect } };
  const run = await disturbedRun({ workers, minWorkers, totalSteps }, async (group) => {
    await group.waitForProgress(5);
    expect(proxy!.numConnections).toBeGreaterThan(0);
    hurt(proxy!);
    await group.waitForProgress(5, 60_000);
    proxy!.heal();
    await group.waitForMembers(["a", "b", "c"], 60_000);
  });
  return { ...run, fired: Object.keys(proxy.fired()) };
}

test("a peer link that is reset costs no step and no worker", async () => {
  const { violations, fired, summary } = await breakLink((link) => link.reset());
  expect(violations).toEqual([]);
  expect(fired).toEqual(["reset"]);
  expect(summary.worldSize).toBe(3);
}, 180_000);

test("a peer link that becomes a black hole ends in a decision, and the run goes on", async () => {
  const { violations, fired } = await breakLink((link) => link.drop("toClient"));
  expect(violations).toEqual([]);
  expect(fired).toEqual(["drop toClient"]);
}, 180_000);

test("a flipped bit in a gradient frame is refused, and the step is right", async () => {
  const { violations, fired } = await breakLink((link) => link.corrupt("toClient", 5_000));
  expect(violations).toEqual([]);
  expect(fired).toEqual(["corrupt toClient"]);
}, 180_000);

test("a slow peer link slows the steps and breaks nothing", async () => {
  const slow = (link: TcpFaultProxy) => link.delay("both", 20, 20);
  const { violations, fired, events } = await breakLink(slow, { minWorkers: 3, totalSteps: 60 });
  expect(violations).toEqual([]);
  expect(fired).toEqual(["delay toClient"]);
  expect(events.filter(({ type }) => type === "left")).toEqual([]);
}, 180_000);
