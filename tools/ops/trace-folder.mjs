import { join } from "node:path";
import { root } from "../workspace.mjs";

/** Where the traced run leaves what it saw. */
export const traceFolder = join(root, ".lockstep", "golden-trace");
