/** @file What the decisions write into the journal of a run; node/journal.ts puts it on disk. */
import type { MetricsLine } from "./run-summary.js";

export type JournalEntry =
  | {
      readonly kind: "membership";
      readonly term: number;
      readonly generation: number;
      readonly members: readonly { readonly workerId: string; readonly name: string }[];
    }
  | {
      readonly kind: "commit";
      readonly step: number;
      readonly generation: number;
      readonly gradientHash: string;
      readonly metrics: MetricsLine | null;
      readonly totals: Readonly<Record<string, unknown>> | null;
    }
  | { readonly kind: "rewind"; readonly step: number }
  /** The loss scale of the steps after this one. */
  | { readonly kind: "lossScale"; readonly step: number; readonly lossScale: number }
  | {
      readonly kind: "evaluated";
      readonly step: number;
      readonly evalLoss: number;
      readonly metrics?: Readonly<Record<string, number>>;
    }
  | {
      readonly kind: "checkpoint";
      readonly step: number;
      readonly paramsSha256: string;
      readonly reasons: readonly string[];
    }
  | { readonly kind: "strike"; readonly workerId: string; readonly reason: string }
  | { readonly kind: "ban"; readonly workerId: string; readonly name: string; readonly reason: string }
  | { readonly kind: "end"; readonly status: string; readonly step: number };
