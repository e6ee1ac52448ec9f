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
}
export const withoutGolden: Readonly<Record<string, string>>;
export function opTable(evidence: {
  readonly ops: readonly OpLike[];
  readonly outcomes: readonly Outcome[];
  readonly hashes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly golden: Readonly<Record<string, number>>;
  readonly excused?: Readonly<Record<string, string>>;
}): OpTable;
export function formatOpTable(table: OpTable): string;
