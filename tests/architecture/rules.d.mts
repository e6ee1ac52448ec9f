export interface Finding {
  readonly rule: string;
  readonly file: string;
  readonly line?: number;
  readonly detail: string;
}
export const arrows: Readonly<Record<string, readonly string[]>>;
export function checkArchitecture(root: string): Finding[];
export function formatFinding(finding: Finding): string;
