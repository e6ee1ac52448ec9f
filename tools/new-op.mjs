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
  [`packages/core/src/ops/${name}.ts`]: `/** @file ${camel}: say in one line what it is. */
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { normal } from "./samples.js";

export const ${camel}Op = defineStructural<Record<string, never>>({
  name: "${camel}",
  // The only place that validates: shapes and dtypes of the inputs to those of the outputs.
  shapeRule: ([x]) => [{ shape: x!.shape, dtype: "f32" }],
  // In f64, written for the reader.
  reference: ([x]) => [{ shape: x!.shape, values: x!.values.map((value) => value) }],
  run: (backend, [x], [out]) => backend.kernels.${camel}(x!, out!),
  // Made of ops, or { notDifferentiable: "why" }.
  vjp: { pull: (_context, dOut) => [dOut] },
  // What breaks kernels: an odd width, an empty one, longer than a block, a mean far from zero.
  samples: [
    { name: "odd width", inputs: [normal([3, 37])], attrs: {} },
    { name: "empty", inputs: [normal([3, 0])], attrs: {} },
    { name: "longer than a block", inputs: [normal([2, 9001])], attrs: {}, checkVjp: false },
    { name: "mean far from zero", inputs: [normal([4, 300], 1000, 1)], attrs: {} },
  ],
});

/** Say what as a formula. @shape [N, K] -> [N, K] @source none: ours */
export function ${camel}(x: Tensor): Tensor {
  return ${camel}Op.apply([x], {})[0]!;
}
`,
  [`packages/core/src/cpu/kernels/${name}.ts`]: `/** @file ${camel}. An item is a row of the output, so that threads split outputs and never a sum. */
import type { KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelRoom } from "../kernel.js";
import { forRange } from "../wasm/integer.js";

const ${camel} = defineKernel("${camel}", { x: "i32", out: "i32", length: "i32" }, (kernel) => {
  const { f, begin, end } = kernel;
  forRange(f, { from: begin, to: end }, (_row) => {
    // Sums go through sum-order.ts: their order is a function of the length alone.
  });
});

export const ${camel}Room: KernelRoom<Pick<KernelTable, "${camel}">> = {
  kernels: [${camel}],
  rows: (_host) => ({ ${camel}: () => {} }),
};
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
  packages/core/src/backend/kernel-table.ts   the row of the kernel, with its conventions
  packages/core/src/cpu/kernel-table.ts       ${camel}Room
  packages/core/src/ops/registry.ts           the op, so that the generic suite runs it
  packages/core/src/ops/index.ts              the export; tensor-methods.ts if it is to be a method
  docs/adding-an-op.md says what each file must hold.`);
