import type { HashWords } from "@lockstep/protocol";

/** 32 hex digits of four u32. @source none: ours */
export function hexOf(hash: HashWords): string {
  return hash.map((word) => word.toString(16).padStart(8, "0")).join("");
}
