import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { TcpFaultProxy } from "./tcp-fault-proxy.js";

const openThings: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of openThings.splice(0).reverse()) await close();
});

/** A server that sends back what it gets, and a client whose bytes go through a proxy. */
async function echoThroughProxy(seed = 0) {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => socket.write(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await TcpFaultProxy.start({ targetPort: (server.address() as { port: number }).port, seed });
  const dial = async () => {
    const client = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    const seen = { bytes: Buffer.alloc(0), error: undefined as string | undefined, hasEnded: false };
    client.on("data", (bytes: Buffer) => {
      seen.bytes = Buffer.concat([seen.bytes, bytes]);
    });
    client.on("error", (error: NodeJS.ErrnoException) => {
      seen.error = error.code;
    });
    client.on("end", () => {
      seen.hasEnded = true;
    });
    await once(client, "connect");
    openThings.push(() => client.destroy());
    return { client, seen };
  };
  openThings.push(
    () => new Promise((resolve) => server.close(resolve)),
    () => {
      for (const socket of sockets) socket.destroy();
    },
    () => proxy.stop(),
  );
  return { proxy, dial, sockets };
}

/** `once` would reject at the error that comes before. */
function closed(socket: { once(event: "close", listener: (what: unknown) => void): unknown }): Promise<unknown> {
  return new Promise((resolve) => socket.once("close", resolve));
}

async function received(client: Socket, seen: { readonly bytes: Buffer }, numBytes: number): Promise<Buffer> {
  while (seen.bytes.length < numBytes) await once(client, "data");
  return seen.bytes;
}

test("carries bytes both ways unchanged, more than its queue holds as well, and counts nothing", async () => {
  const { proxy, dial } = await echoThroughProxy();
  const { client, seen } = await dial();
  const sent = Buffer.alloc(3_000_001, 0).map((_, i) => (i * 31) % 251);
  client.write(sent);
  expect((await received(client, seen, sent.length)).equals(sent)).toBe(true);
  expect(proxy.fired()).toEqual({});
  expect(proxy.numConnections).toBe(1);
});

test("a delayed direction keeps the order and takes at least its delay", async () => {
  const { proxy, dial } = await echoThroughProxy(3);
  const { client, seen } = await dial();
  proxy.delay("toTarget", 40, 20);
  const startMs = performance.now();
  client.write("a");
  await new Promise(setImmediate);
  client.write("b");
  expect((await received(client, seen, 2)).toString()).toBe("ab");
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(39);
  expect(Object.keys(proxy.fired())).toEqual(["delay toTarget"]);
});

test("a limited rate spreads bytes over time", async () => {
  const { proxy, dial } = await echoThroughProxy();
  const { client, seen } = await dial();
  proxy.rate("toClient", 100_000);
  const startMs = performance.now();
  client.write(Buffer.alloc(10_000));
  await received(client, seen, 10_000);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(95);
  expect(proxy.fired()["rate toClient"]).toBeGreaterThanOrEqual(1);
});

test("a black hole swallows bytes and the farewell, closes nothing, and heals without giving them back", async () => {
  const { proxy, dial, sockets } = await echoThroughProxy();
  const { client, seen } = await dial();
  client.write("1");
  await received(client, seen, 1);
  proxy.drop("toTarget");
  client.write("22");
  while (proxy.fired()["drop toTarget"] === undefined) await new Promise(setImmediate);
  proxy.heal();
  client.write("3");
  expect((await received(client, seen, 2)).toString()).toBe("13");
  proxy.drop("toTarget");
  client.end();
  while (proxy.fired()["drop toTarget"]! < 2) await new Promise(setImmediate);
  const [server] = sockets;
  expect(server!.readyState).toBe("open");
  const ended = once(server!, "end");
  proxy.heal();
  await ended;
});

test("a connection that one end gave up in a black hole is reset for the other when the hole heals", async () => {
  const { proxy, dial, sockets } = await echoThroughProxy();
  const { client, seen } = await dial();
  client.write("x");
  await received(client, seen, 1);
  proxy.drop("both");
  [...sockets][0]!.resetAndDestroy();
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  expect(client.destroyed).toBe(false);
  const gone = closed(client);
  proxy.heal();
  await gone;
  expect(seen.error).toBe("ECONNRESET");
});

test("reset breaks both ends with RST", async () => {
  const { proxy, dial, sockets } = await echoThroughProxy();
  const { client, seen } = await dial();
  client.write("x");
  await received(client, seen, 1);
  const [server] = sockets;
  const gone = Promise.all([server!, client].map(closed));
  proxy.reset();
  await gone;
  expect(seen.error).toBe("ECONNRESET");
  expect(proxy.fired()).toEqual({ reset: 1 });
  expect(proxy.numConnections).toBe(0);
});

test("half-open: one direction ends, the other still carries", async () => {
  const { proxy, dial, sockets } = await echoThroughProxy();
  const { client, seen } = await dial();
  client.write("x");
  await received(client, seen, 1);
  const ended = once([...sockets][0]!, "end");
  proxy.halfOpen("toTarget");
  await ended;
  [...sockets][0]!.write("still");
  expect((await received(client, seen, 6)).toString()).toBe("xstill");
  expect(seen.hasEnded).toBe(false);
  expect(proxy.fired()).toEqual({ "halfOpen toTarget": 1 });
});

test("corrupt flips one bit of one byte, where it was told, and the seed chooses the bit", async () => {
  const flipped = async (seed: number) => {
    const { proxy, dial } = await echoThroughProxy(seed);
    const { client, seen } = await dial();
    client.write(Buffer.alloc(10));
    await received(client, seen, 10);
    proxy.corrupt("toTarget", 5);
    client.write(Buffer.alloc(100));
    const bytes = await received(client, seen, 110);
    expect(proxy.fired()).toEqual({ "corrupt toTarget": 1 });
    const changed = [...bytes].flatMap((value, index) => (value === 0 ? [] : [[index, value]]));
    expect(changed).toHaveLength(1);
    expect(changed[0]![0]).toBe(15);
    return changed[0]![1]!;
  };
  const masks = [await flipped(1), await flipped(1), await flipped(2), await flipped(3), await flipped(4)];
  for (const mask of masks) expect(Math.log2(mask) % 1).toBe(0);
  expect(masks[0]).toBe(masks[1]);
  expect(new Set(masks).size).toBeGreaterThan(1);
});

test("refuses new connections and keeps the old ones, until healed", async () => {
  const { proxy, dial } = await echoThroughProxy();
  const { client, seen } = await dial();
  proxy.refuse();
  const refused = await dial().catch((error: NodeJS.ErrnoException) => ({ seen: { error: error.code }, client }));
  if (refused.seen.error === undefined) await closed(refused.client);
  expect(refused.seen.error).toBe("ECONNRESET");
  client.write("x");
  await received(client, seen, 1);
  expect(proxy.fired()).toEqual({ refuse: 1 });
  proxy.heal();
  const again = await dial();
  again.client.write("y");
  expect((await received(again.client, again.seen, 1)).toString()).toBe("y");
});

test("paused, nothing passes and nothing is lost", async () => {
  const { proxy, dial } = await echoThroughProxy();
  const { client, seen } = await dial();
  client.write("a");
  await received(client, seen, 1);
  proxy.pause("toTarget");
  client.write("b");
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  expect(seen.bytes.toString()).toBe("a");
  proxy.resume("toTarget");
  expect((await received(client, seen, 2)).toString()).toBe("ab");
  expect(proxy.fired()).toEqual({ "pause toTarget": 1 });
});

test("a WebSocket goes through, and a flipped bit of its frame header closes it as a broken frame", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const proxy = await TcpFaultProxy.start({ targetPort: (server.address() as { port: number }).port });
  openThings.push(
    () => server.close(),
    () => proxy.stop(),
  );
  const serverError = new Promise<string>((resolve) => {
    server.on("connection", (socket) => {
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("message", (data) => socket.send(data));
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}`);
  client.on("error", () => {});
  await once(client, "open");
  client.send(Buffer.from([1, 2, 3]));
  const [data] = (await once(client, "message")) as [Buffer];
  expect([...data]).toEqual([1, 2, 3]);

  proxy.corrupt("toTarget", 0, 6); // RSV1 of the next frame
  client.send(Buffer.from([4]));
  expect(await closed(client)).toBe(1002);
  expect(await serverError).toBe("WS_ERR_UNEXPECTED_RSV_1");
  expect(proxy.fired()).toEqual({ "corrupt toTarget": 1 });
});
