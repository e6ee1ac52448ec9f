import type { HashWords } from "@lockstep/protocol";

/** 32 hex digits of four u32. @source none: ours */
export function hexOf(hash: HashWords): string {
  return hash.map((word) => word.toString(16).padStart(8, "0")).join("");
}

/** The four u32 of 32 hex digits. @source none: ours */
export function wordsOf(hex: string): HashWords {
  const word = (i: number): number => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16);
  return [word(0), word(1), word(2), word(3)];
}
