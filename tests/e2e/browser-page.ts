/** @file A page in a headless Chromium, driven over the DevTools protocol: what it asked for, what it logged, what was drawn. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";

export interface BrowserPage {
  /** Value of an expression in the page. */
  read<T>(expression: string): Promise<T>;
  call(method: string, params?: object): Promise<Record<string, unknown>>;
  /** Addresses that the page asked for. */
  readonly requests: readonly string[];
  /** Errors and warnings of the page, and refusals of its security policy. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Opens `url` and waits until it is loaded. */
export async function openPage(chromium: string, url: string): Promise<BrowserPage> {
  const profile = mkdtempSync(join(tmpdir(), "lockstep-browser-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"];
  const child = spawn(
    chromium,
    [...flags, `--user-data-dir=${profile}`, "--remote-debugging-port=0", "--window-size=1280,900", "about:blank"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const close = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const socket = new WebSocket(await addressOf(child));
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    return { ...(await attach(socket, url)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stderr!.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.once("close", (status) => reject(new Error(`chromium ended with ${status}:\n${text}`)));
  });
}

async function attach(socket: WebSocket, url: string): Promise<Omit<BrowserPage, "close">> {
  const requests: string[] = [];
  const complaints: string[] = [];
  const answers = new Map<number, (message: Message) => void>();
  let sessionId: string | undefined;
  let loaded = (): void => {};
  const isLoaded = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  socket.on("message", (data) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) answers.get(message.id)?.(message);
    const params = message.params ?? {};
    if (message.method === "Network.requestWillBeSent") requests.push((params.request as { url: string }).url);
    if (message.method === "Log.entryAdded") complaints.push((params.entry as { text: string }).text);
    if (message.method === "Runtime.exceptionThrown" || message.method === "Runtime.consoleAPICalled")
      complaints.push(JSON.stringify(params));
    if (message.method === "Page.loadEventFired") loaded();
  });
  let lastId = 0;
  const call = (method: string, params: object = {}): Promise<Record<string, unknown>> => {
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      answers.set(id, ({ result, error }) => {
        answers.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  };
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  sessionId = (await call("Target.attachToTarget", { targetId, flatten: true })).sessionId as string;
  for (const domain of ["Page", "Network", "Log", "Runtime"]) await call(`${domain}.enable`);
  await call("Page.navigate", { url });
  await isLoaded;
  const read = async <T>(expression: string): Promise<T> => {
    const answer = await call("Runtime.evaluate", { expression: `JSON.stringify(${expression})`, returnByValue: true });
    if (answer.exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(answer.exceptionDetails)}`);
    return JSON.parse((answer.result as { value: string }).value) as T;
  };
  return { read, call, requests, complaints };
}
