/**
 * @file `npm run new:op NAME`: makes the files of a structural op and prints the places that must learn of it.
 *
 * The files do not compile until they are filled in: a missing kernel or vjp is a type error, on purpose.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./workspace.mjs";

const [name] = process.argv.slice(2);
if (!name || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
  console.error(`new:op: got "${name ?? ""}"; NAME must be kebab-case. For example: npm run new:op cumulative-sum`);
  process.exit(2);
}
const camel = name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

const files = {
  [`packages/core/src/ops/${name}.ts`]: `/** @file The contract of \`${camel}\`. */
import type { Tensor } from "../tensor/tensor.js";

/**
 * TODO what, as a formula.
 *
 * @shape x [N, K] -> [N, K]
 * @source none: ours
 */
export function ${camel}(x: Tensor): Tensor {
  // Shape rule, f64 reference, vjp and samples: see docs/adding-an-op.md and a neighbour such as softmax.ts.
}
`,
  [`packages/core/src/cpu/kernels/${name}.ts`]: `/** @file \`${camel}\` on the CPU. Items are rows of the output, so that threads split outputs only. */
import { defineKernel } from "../kernel.js";

export const ${camel}Kernel = defineKernel();
`,
};

const taken = Object.keys(files).filter((path) => existsSync(join(root, path)));
if (taken.length > 0) {
  console.error(`new:op: ${taken.join(", ")} exists already; an op has one home. Choose another name.`);
  process.exit(2);
}
for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  console.log(`made ${path}`);
}
console.log(`Now add:
  packages/core/src/backend/kernel-table.ts   the signature of the kernel
  packages/core/src/cpu/kernel-table.ts       the kernel
  packages/core/src/ops/                      the op in the registry, so that the generic suite runs it
  packages/core/src/index.ts                  the export
  docs/adding-an-op.md says what each file must hold.`);
