/**
 * @file The worker processes that `lockstep run` starts on this machine.
 *
 * A child is this same command. It gets its token over IPC, so that no process list and no environment shows it; when the parent
 * dies the channel closes and the child stops.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { NumericClass } from "./flags/common-flags.js";

export interface LocalWorkersOptions {
  readonly url: string;
  readonly token: string;
  readonly workers: number;
  readonly threads: number;
  readonly numeric: NumericClass;
  readonly cacheDir: string;
  /** A child ended on its own with another status than 0, with the last it wrote to stderr. */
  readonly onCrash: (name: string, status: string, stderr: string) => void;
}

export interface LocalWorkers {
  /** Resolves when every child is gone. */
  readonly gone: Promise<void>;
  /** Asks the children to stop, then kills what is left after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const keptStderrBytes = 8_192;

export function startLocalWorkers(options: LocalWorkersOptions): LocalWorkers {
  let isStopping = false;
  const entry = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "./main.ts" : "./main.js", import.meta.url));
  const children = Array.from({ length: options.workers }, (_, index) =>
    startChild(index, entry, options, () => isStopping),
  );
  const gone = Promise.all(children.map(({ exited }) => exited)).then(() => undefined);
  return {
    gone,
    async stop(graceMs) {
      isStopping = true;
      for (const { child } of children) if (child.connected) child.send({ type: "stop" });
      const timer = setTimeout(() => {
        for (const { child } of children) child.kill("SIGKILL");
      }, graceMs);
      await gone;
      clearTimeout(timer);
    },
  };
}

function startChild(
  index: number,
  entry: string,
  options: LocalWorkersOptions,
  isStopping: () => boolean,
): { child: ChildProcess; exited: Promise<void> } {
  const name = `local-${index}`;
  const args = ["worker", options.url, "--token-from-parent", "--name", name, "--threads", String(options.threads)];
  args.push("--numeric", options.numeric, "--cache", options.cacheDir, "--quiet");
  const child = fork(entry, args, { stdio: ["ignore", "ignore", "pipe", "ipc"], serialization: "json" });
  child.send({ type: "token", token: options.token });
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-keptStderrBytes);
  });
  const exited = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      stderr += error.message;
    });
    child.once("close", (code, signal) => {
      if (!isStopping() && code !== 0) options.onCrash(name, signal ?? `status ${code}`, stderr.trim());
      resolve();
    });
  });
  return { child, exited };
}
