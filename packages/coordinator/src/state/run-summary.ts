/** @file What a run leaves for other programs: a line per step and one summary. Both are a contract. */

/** One line of metrics.jsonl: step k is the k-th committed update. */
export interface MetricsLine {
  readonly step: number;
  /** Weighted mean over the step's micro-batches, before the update; null when a lost worker took its part along. */
  readonly loss: number | null;
  readonly learningRate: number | null;
  readonly gradNorm: number | null;
  readonly tokensPerSec?: number;
  readonly samplesPerSec: number;
  /** From the assignment to the commit. */
  readonly stepMs: number;
  /** Of the slowest worker. */
  readonly computeMs: number;
  readonly commMs: number;
  readonly worldSize: number;
  readonly generation: number;
  /** Gradient bytes that a worker sent in this step, mean over the workers. */
  readonly bytesSent: number;
  /** Of a step that was evaluated: mean loss over the held-out data, after the update. */
  readonly evalLoss?: number;
  /** Of a step that was evaluated, and a job with metrics: their values by name. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** summary.json. */
export interface RunSummary {
  readonly schema: 1;
  readonly status: "completed" | "failed" | "interrupted";
  /** Committed updates of the run, those before a resume included. */
  readonly steps: number;
  readonly worldSize: number;
  readonly generation: number;
  readonly trainLoss: number | null;
  readonly evalLoss: number | null;
  /** Of a job with metrics: their values by name, of the last evaluation. */
  readonly metrics?: Readonly<Record<string, number>>;
  readonly paramsSha256: string | null;
  readonly samplesSeen: number;
  readonly samplesPerSec: number;
  readonly tokensPerSec: number | null;
  readonly wallMs: number;
  readonly bytesSentPerWorkerPerStep: number;
  readonly numericClasses: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** One line of events.jsonl, without its time. */
export interface EventLine {
  readonly type: string;
  /** Last committed step when it happened. */
  readonly step: number;
  readonly generation: number;
  readonly reason: string;
  readonly [field: string]: unknown;
}
