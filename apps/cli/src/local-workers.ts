/**
 * @file The worker processes that `lockstep run` starts on this machine.
 *
 * A child is this same command. It gets its token over IPC, so that no process list and no environment shows it; when the parent
 * dies the channel closes and the child stops. A child has a number for the run: a new process in a place keeps number and name.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { workerName } from "./chaos/plan-chaos.js";
import type { BackendName, NumericClass, Precision, Updater } from "./flags/common-flags.js";

export interface LocalWorkersOptions {
  readonly url: string;
  readonly token: string;
  readonly workers: number;
  readonly threads: number;
  readonly numeric: NumericClass;
  /** One for all, or one for each place. */
  readonly backends: readonly BackendName[];
  readonly precision: Precision;
  readonly noRecord: boolean;
  readonly update: Updater;
  readonly cacheDir: string;
  /** A child ended on its own with another status than 0, with the last it wrote to stderr. */
  readonly onCrash: (name: string, status: string, stderr: string) => void;
}

export interface LocalWorkers {
  /** Sends a signal to a child, if it lives. One that dies of SIGKILL sent here did not crash. */
  kill(index: number, signal: NodeJS.Signals): void;
  /** A new process in the place of child `index`, whose old one is killed if it still lives. */
  restart(index: number): void;
  /** One child more. @returns its number. */
  add(): number;
  /** Asks the children to stop, then kills what is left after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

interface Child {
  readonly index: number;
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  isKilled: boolean;
}

const keptStderrBytes = 8_192;

export function startLocalWorkers(options: LocalWorkersOptions): LocalWorkers {
  let isStopping = false;
  const entry = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url));
  /** Every process that was started; the last one with a number is the one that counts. */
  const children: Child[] = [];
  const start = (index: number) => children.push(startChild(index, entry, options, () => isStopping));
  const kill = (index: number, signal: NodeJS.Signals) => {
    const child = children.findLast((each) => each.index === index);
    if (child === undefined) return;
    if (signal === "SIGKILL") child.isKilled = true;
    child.process.kill(signal);
  };
  for (let index = 0; index < options.workers; index++) start(index);
  let numPlaces = options.workers;
  return {
    kill,
    restart(index) {
      kill(index, "SIGKILL");
      if (!isStopping) start(index);
    },
    add() {
      if (!isStopping) start(numPlaces);
      return numPlaces++;
    },
    async stop(graceMs) {
      isStopping = true;
      for (const { process } of children) if (process.connected) process.send({ type: "stop" });
      const timer = setTimeout(() => {
        for (const { process } of children) process.kill("SIGKILL");
      }, graceMs);
      await Promise.all(children.map(({ exited }) => exited));
      clearTimeout(timer);
    },
  };
}

function startChild(index: number, entry: string, options: LocalWorkersOptions, isStopping: () => boolean): Child {
  const name = workerName(index);
  const args = ["worker", options.url, "--token-from-parent", "--name", name, "--threads", String(options.threads)];
  const { backends } = options;
  args.push("--backend", backends.length === 1 ? backends[0]! : (backends[index] ?? "cpu"));
  args.push("--precision", options.precision);
  if (options.noRecord) args.push("--no-record");
  args.push("--update", options.update);
  args.push("--numeric", options.numeric, "--cache", options.cacheDir, "--quiet");
  const process = fork(entry, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
  process.send({ type: "token", token: options.token });
  let stderr = "";
  process.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-keptStderrBytes);
  });
  const exited = new Promise<void>((resolve) => {
    process.once("error", (error) => {
      stderr += error.message;
    });
    process.once("close", (code, signal) => {
      const isCrash = !isStopping() && !child.isKilled && code !== 0;
      if (isCrash) options.onCrash(name, signal ?? `status ${code}`, stderr.trim());
      resolve();
    });
  });
  const child: Child = { index, process, exited, isKilled: false };
  return child;
}
