import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { webSocketFrameChannel } from "@lockstep/collectives/node";
import {
  controlCodec,
  type MessageBody,
  PROTOCOL_VERSION,
  relayPath,
  ticketHeader,
  type WorkerMessage,
} from "@lockstep/protocol";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type ControlClient, createControlClient } from "./control-client.js";
import type { ControlSocketConstructor } from "./control-socket.js";

type ServerSocket = WebSocket;
type Client = ControlClient<WebSocket & Parameters<typeof webSocketFrameChannel>[0]>;

const token = "correct horse";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const cleanups: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Timers that a test fires by hand. */
class ManualClock {
  readonly timers: { readonly delayMs: number; readonly callback: () => void; isCancelled: boolean }[] = [];
  nowMs(): number {
    return 0;
  }
  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { delayMs, callback, isCancelled: false };
    this.timers.push(timer);
    return () => {
      timer.isCancelled = true;
    };
  }
  fire(delayMs: number): void {
    const due = this.timers.filter((timer) => timer.delayMs === delayMs && !timer.isCancelled);
    for (const timer of due) {
      timer.isCancelled = true;
      timer.callback();
    }
  }
}

interface Side {
  readonly socket: ServerSocket;
  readonly received: WorkerMessage[];
  next(): Promise<WorkerMessage>;
  send(name: string, body: unknown): void;
}

async function connected(clock = new ManualClock()): Promise<{ client: Client; server: Side; url: string }> {
  const listener = new WebSocketServer({ port: 0, host: "127.0.0.1", verifyClient: isAuthorized });
  cleanups.push(() => {
    for (const socket of listener.clients) socket.terminate();
    return new Promise((resolve) => listener.close(resolve));
  });
  await new Promise((resolve) => listener.once("listening", resolve));
  const url = `ws://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const accepted = new Promise<ServerSocket>((resolve) => listener.once("connection", resolve));
  const client = clientOf(url, clock);
  await client.open();
  return { client, server: sideOf(await accepted), url };
}

function isAuthorized(info: { readonly req: IncomingMessage }): boolean {
  const hasTicket = info.req.url !== relayPath || info.req.headers[ticketHeader] === "0".repeat(32);
  return info.req.headers.authorization === `Bearer ${token}` && hasTicket;
}

function clientOf(url: string, clock: ManualClock, given: string = token): Client {
  return createControlClient({
    url,
    token: given,
    WebSocket: WebSocket as unknown as ControlSocketConstructor<
      WebSocket & Parameters<typeof webSocketFrameChannel>[0]
    >,
    frameChannelOf: webSocketFrameChannel,
    sha256,
    clock,
  });
}

function sideOf(socket: ServerSocket): Side {
  const received: WorkerMessage[] = [];
  const waiting: ((message: WorkerMessage) => void)[] = [];
  socket.on("message", (data: Buffer) => {
    const message = controlCodec.decodeControl(data, "worker") as WorkerMessage;
    const next = waiting.shift();
    if (next === undefined) received.push(message);
    else next(message);
  });
  return {
    socket,
    received,
    next: () => {
      const message = received.shift();
      return message === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(message);
    },
    send: (name, body) => socket.send(controlCodec.encodeControl(name as never, body as never)),
  };
}

function hello(): MessageBody<"hello"> {
  return {
    protocolVersion: PROTOCOL_VERSION,
    numericsVersion: 1,
    lockstepVersion: "0.1.0",
    workerId: "w0",
    name: "w0",
    numericClasses: ["strict"],
    threads: 1,
    listenUrls: [],
    canDial: true,
    platform: "test",
    held: null,
  };
}

function welcome(): MessageBody<"welcome"> {
  return {
    runId: "run",
    term: 1,
    workerId: "w0",
    jobName: "job",
    jobBundle: { sha256: "0".repeat(64), byteLength: 1 },
    configJson: "{}",
    files: [],
    seed: 1,
    numeric: "strict",
    threads: null,
    initFrom: null,
    resume: null,
    stopStep: 1,
    heartbeatIntervalMs: 111,
    heartbeatTimeoutMs: 222,
    reconnectTimeoutMs: 60_000,
    maxChunkBytes: 1_048_576,
  };
}

/** Serves blobGet from these bytes until the blob was given out. */
async function serve(server: Side, bytes: Uint8Array): Promise<number> {
  let numRequests = 0;
  for (let sent = 0; sent < bytes.byteLength; ) {
    const { name, body } = await server.next();
    if (name !== "blobGet") throw new Error(`unexpected ${name}`);
    numRequests++;
    const chunk = bytes.subarray(body.offset, body.offset + body.maxBytes);
    server.send("blobChunk", {
      sha256: body.sha256,
      offset: body.offset,
      byteLength: bytes.byteLength,
      bytes: chunk,
    });
    sent += chunk.byteLength;
  }
  return numRequests;
}

test("a wrong token is an error that says so, and a dead address another one", async () => {
  const { url } = await connected();
  await expect(clientOf(url, new ManualClock(), "wrong").open()).rejects.toMatchObject({ code: "E_UNAUTHORIZED" });
  await expect(clientOf("ws://127.0.0.1:1", new ManualClock()).open()).rejects.toMatchObject({ code: "E_CONNECT" });
});

test("messages that came before the listener wait for it, in their order", async () => {
  const { client, server } = await connected();
  server.send("notice", { code: "WAITING", message: "first" });
  server.send("notice", { code: "WAITING", message: "second" });
  client.send({ name: "goodbye", body: { reason: "round trip" } });
  await server.next();
  const messages: string[] = [];
  const both = new Promise<void>((resolve) => {
    client.onMessage((message) => {
      messages.push((message.body as { message: string }).message);
      if (messages.length === 2) resolve();
    });
  });
  await both;
  expect(messages).toEqual(["first", "second"]);
});

test("a blob of many chunks is fetched with a bounded number in flight and checked", async () => {
  const { client, server } = await connected();
  const bytes = new Uint8Array(5 * 1_048_576 + 17).map((_, i) => i * 31);
  const fetching = client.fetchBlob({ sha256: sha256(bytes), byteLength: bytes.byteLength });
  const first = await server.next();
  expect(first).toMatchObject({ name: "blobGet", body: { offset: 0, maxBytes: 1_048_576 } });
  server.received.unshift(first);
  expect(await serve(server, bytes)).toBe(6);
  expect(sha256(await fetching)).toBe(sha256(bytes));
});

test("a blob whose bytes do not have its sha256 is refused, as is one of another length", async () => {
  const { client, server } = await connected();
  const bytes = new TextEncoder().encode("wrong bytes");
  const fetching = client.fetchBlob({ sha256: sha256(new Uint8Array(1)), byteLength: bytes.byteLength });
  const refusal = expect(fetching).rejects.toMatchObject({ code: "E_BLOB_HASH" });
  await serve(server, bytes);
  await refusal;
  const other = client.fetchBlob({ sha256: sha256(bytes), byteLength: 5 });
  const otherRefusal = expect(other).rejects.toMatchObject({ code: "E_BLOB_CHUNK" });
  await server.next();
  server.send("blobChunk", { sha256: sha256(bytes), offset: 0, byteLength: bytes.byteLength, bytes });
  await otherRefusal;
});

test("an empty blob is fetched too", async () => {
  const { client, server } = await connected();
  const empty = new Uint8Array(0);
  const fetching = client.fetchBlob({ sha256: sha256(empty), byteLength: 0 });
  const { body } = await server.next();
  server.send("blobChunk", { sha256: (body as { sha256: string }).sha256, offset: 0, byteLength: 0, bytes: empty });
  expect((await fetching).byteLength).toBe(0);
});

test("a blob that the coordinator does not have is its error", async () => {
  const { client, server } = await connected();
  const fetching = client.fetchBlob({ sha256: "d".repeat(64), byteLength: 3 });
  await server.next();
  server.send("blobError", { sha256: "d".repeat(64), code: "E_BLOB_MISSING", message: "not here" });
  await expect(fetching).rejects.toMatchObject({ code: "E_BLOB_MISSING" });
});

test("putting a blob goes on where the coordinator already is, and ends when it is verified", async () => {
  const { client, server } = await connected();
  const bytes = new Uint8Array(3 * 1_048_576).map((_, i) => i);
  const hash = sha256(bytes);
  const putting = client.putBlob(bytes, hash);
  expect(await server.next()).toMatchObject({ name: "blobPut", body: { offset: 0, byteLength: bytes.byteLength } });
  server.send("blobAck", { sha256: hash, nextOffset: 2 * 1_048_576, isComplete: false });
  const last = await server.next();
  expect(last).toMatchObject({ name: "blobPut", body: { offset: 2 * 1_048_576 } });
  expect(sha256((last.body as MessageBody<"blobPut">).bytes)).toBe(sha256(bytes.subarray(2 * 1_048_576)));
  server.send("blobAck", { sha256: hash, nextOffset: bytes.byteLength, isComplete: true });
  await putting;
});

test("heartbeats start with the welcome, at its interval", async () => {
  const clock = new ManualClock();
  const { client, server } = await connected(clock);
  const welcomed = new Promise<void>((resolve) => client.onMessage(() => resolve()));
  server.send("welcome", welcome());
  await welcomed;
  expect(await server.next()).toEqual({ name: "heartbeat", body: { sequence: 0 } });
  clock.fire(111);
  expect(await server.next()).toEqual({ name: "heartbeat", body: { sequence: 1 } });
});

test("a coordinator that falls silent is given up after its timeout", async () => {
  const clock = new ManualClock();
  const { client, server } = await connected(clock);
  const welcomed = new Promise<void>((resolve) => client.onMessage(() => resolve()));
  server.send("welcome", welcome());
  await welcomed;
  clock.fire(222);
  expect((await client.closed).reason).toBe("the coordinator said nothing for 222 ms (heartbeatTimeoutMs)");
});

test("a lost channel rejects the blobs under way and tells why", async () => {
  const { client, server } = await connected();
  const fetching = client.fetchBlob({ sha256: "d".repeat(64), byteLength: 3 });
  const refusal = expect(fetching).rejects.toMatchObject({ code: "E_CONTROL_CLOSED" });
  await server.next();
  server.socket.close(1001, "going away");
  await refusal;
  expect((await client.closed).reason).toContain("1001: going away");
  await expect(client.fetchBlob({ sha256: "d".repeat(64), byteLength: 3 })).rejects.toMatchObject({
    code: "E_CONTROL_CLOSED",
  });
});

test("bytes that are no control message end the channel", async () => {
  const { client, server } = await connected();
  server.socket.send(Buffer.from([9, 9, 9]));
  expect((await client.closed).reason).toContain("the coordinator broke the protocol");
});

test("the relay is a second socket that shows the ticket", async () => {
  const { client } = await connected();
  const channel = await client.openRelay("0".repeat(32));
  channel.close();
  await expect(client.openRelay("1".repeat(32))).rejects.toMatchObject({ code: "E_UNAUTHORIZED" });
});

test("a worker that waits without a welcome is heard, and gives up on a coordinator that is silent", async () => {
  const clock = new ManualClock();
  const { client, server } = await connected(clock);
  client.send({ name: "hello", body: hello() });
  expect((await server.next()).name).toBe("hello");
  expect((await server.next()).name).toBe("heartbeat");
  clock.fire(200);
  expect((await server.next()).name).toBe("heartbeat");
  clock.fire(10_000);
  expect((await client.closed).reason).toContain("said nothing for 10000 ms");
});
