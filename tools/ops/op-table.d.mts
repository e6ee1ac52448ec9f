export interface OpLike {
  readonly name: string;
  readonly notDifferentiable: string | undefined;
  readonly samples: readonly { readonly name: string }[];
}
export interface Outcome {
  readonly op: string;
  readonly sample: string;
  readonly check: string;
  readonly error?: unknown;
}
export interface OpTable {
  readonly rows: readonly {
    readonly op: string;
    readonly cells: Readonly<Record<string, { readonly text: string; readonly isMissing: boolean }>>;
  }[];
  readonly missing: readonly string[];
  /** Where each WebGPU column ran, or why it did not. */
  readonly notes: readonly string[];
}
export type GpuColumn =
  | { readonly driver: string; readonly outcomes: readonly Outcome[]; readonly reason?: undefined }
  | { readonly reason: string };
export const withoutGolden: Readonly<Record<string, string>>;
export function opTable(evidence: {
  readonly ops: readonly OpLike[];
  readonly outcomes: readonly Outcome[];
  readonly hashes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly golden: Readonly<Record<string, number>>;
  readonly gpu?: Readonly<Record<string, GpuColumn>>;
  readonly isGpuRequired?: boolean;
  readonly excused?: Readonly<Record<string, string>>;
}): OpTable;
export function formatOpTable(table: OpTable): string;
