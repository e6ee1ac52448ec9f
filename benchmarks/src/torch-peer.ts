/**
 * @file PyTorch and NumPy as peers: one long-lived python3 that measures on request, so that its runs alternate with ours.
 *
 * Protocol over pipes, a JSON object a line: {"work": "gpt-small", "seconds": 5} -> {"rate": 10321.5}.
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The system's interpreter first: distributions install python3-torch for that one only. */
const interpreters = ["/usr/bin/python3", "python3"];
const requestTimeoutMs = 180_000;

/** The interpreter that can import torch, or undefined. */
export function findTorchPython(): string | undefined {
  return interpreters.find((python) => spawnSync(python, ["-c", "import torch"], { stdio: "ignore" }).status === 0);
}

export interface PeerOptions {
  /** In `benchmarks/peers`. Default "torch_train_step.py". */
  readonly script?: string;
  /** Default 1. */
  readonly threads?: number;
}

export class TorchPeer {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(python: string, { script = "torch_train_step.py", threads = 1 }: PeerOptions = {}) {
    const path = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
    const env = {
      ...process.env,
      OMP_WAIT_POLICY: "passive",
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
    };
    this.#child = spawn(python, [path], { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr.resume();
    this.#reader = createInterface({ input: this.#child.stdout });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Units of work a second (tokens, or steps for the MLP) over about `seconds`. */
  async measure(work: string, seconds: number): Promise<number> {
    this.#child.stdin.write(`${JSON.stringify({ work, seconds })}\n`);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`torch peer: no answer for "${work}" within ${requestTimeoutMs} ms`)),
        requestTimeoutMs,
      );
    });
    try {
      const next = await Promise.race([this.#lines.next(), timeout]);
      if (next.done) throw new Error(`torch peer: python ended while measuring "${work}"`);
      return (JSON.parse(next.value) as { rate: number }).rate;
    } finally {
      clearTimeout(timer);
    }
  }

  dispose(): void {
    this.#reader.close();
    this.#child.kill();
  }
}
