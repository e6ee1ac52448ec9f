/** @file What `GET /status` of a coordinator answers. A contract: other programs may rely on it. */

export interface StatusWorker {
  readonly workerId: string;
  readonly name: string;
  readonly status: "preparing" | "joining" | "ready" | "member" | "spare" | "suspect";
  /** In the report's generation; null for all but members. */
  readonly rank: number | null;
  /** Last step whose state it is known to hold. */
  readonly step: number | null;
  readonly numericClass: string | null;
  readonly platform: string;
  /** Of the present assignment. */
  readonly microBatches: number;
  /** Smoothed. */
  readonly microBatchMs: number | null;
  /** Since anything was heard of it. */
  readonly silentMs: number;
  readonly strikes: number;
  /** Of its last reported step, as the two below. */
  readonly computeMs: number | null;
  readonly commMs: number | null;
  readonly bytesSent: number | null;
}

export interface StatusReport {
  readonly schema: 1;
  readonly runId: string;
  readonly term: number;
  readonly jobName: string;
  readonly phase: string;
  /** Last committed. */
  readonly step: number;
  readonly stopStep: number;
  readonly generation: number;
  readonly attempt: number;
  /** For whom the run waits and until when, in words; null while it goes on. */
  readonly waiting: string | null;
  readonly workers: readonly StatusWorker[];
  readonly banned: readonly { readonly workerId: string; readonly name: string; readonly reason: string }[];
  readonly lastStep: {
    readonly stepMs: number;
    readonly computeMs: number;
    readonly commMs: number;
    readonly bytesSent: number;
    readonly tokensPerSec: number | null;
    readonly samplesPerSec: number;
  } | null;
  readonly medianStepMs: number | null;
  readonly trainLoss: number | null;
  readonly evalLoss: number | null;
  /** Values of the job's metrics at the last evaluation; null before it and for a job without. */
  readonly metrics: Readonly<Record<string, number>> | null;
  /** The newest on disk, and why it was written. */
  readonly checkpoint: { readonly step: number; readonly ageMs: number; readonly reason: string } | null;
  readonly bestCheckpoint: { readonly step: number; readonly evalLoss: number } | null;
  /** Why the newest could not be written. */
  readonly checkpointError: string | null;
  readonly wallMs: number;
}
