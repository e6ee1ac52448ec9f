/** @file Which CPU classes this machine and this version of Node can compute in. */
import { createNodeCpuBackend } from "@lockstep/core/node";

/** "strict" always; "fused" where its start-up probe passes. */
export function availableNumericClasses(): readonly ("strict" | "fused")[] {
  try {
    createNodeCpuBackend({ numeric: "fused" }).dispose();
    return ["strict", "fused"];
  } catch {
    return ["strict"];
  }
}
