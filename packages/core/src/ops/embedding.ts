/** @file embedding: rows of a table by index. Legend: V rows of the table, C columns. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import { checkIndices } from "./index-range.js";
import { referenceFrom } from "./reference-arrays.js";
import { asFlat, asRows } from "./rows.js";
import { i32Values, integers, normal } from "./samples.js";

export const embeddingOp = defineStructural<undefined>({
  name: "embedding",
  shapeRule: ([table, ids]) => {
    if (table!.dtype !== "f32" || ids!.dtype !== "i32") {
      throw new DTypeError(
        `embedding: the table is ${table!.dtype} and ids are ${ids!.dtype}; they must be f32 and i32.`,
        {},
      );
    }
    if (table!.shape.length !== 2) {
      throw new ShapeError(`embedding: the table is ${formatShape(table!.shape)}; it must be [V, C].`, {
        table: table!.shape,
      });
    }
    return [{ shape: [...ids!.shape, table!.shape[1]!], dtype: "f32" }];
  },
  reference: ([table, ids]) => {
    const width = table!.shape[1]!;
    return [
      referenceFrom(
        [...ids!.shape, width],
        (i) => table!.values[ids!.values[Math.floor(i / width)]! * width + (i % width)]!,
      ),
    ];
  },
  run: (backend, [table, ids], [out]) => backend.kernels.embedding(table!, asFlat(ids!), asRows(out!)),
  vjp: {
    saves: { inputs: [1] },
    pull: ({ inputs: [, ids], inputShapes }, dOut) => {
      const dy = asContiguous(dOut);
      const specs = [{ shape: inputShapes[0]!, dtype: "f32" as const }];
      const [dTable] = runBackwardKernel("embeddingBackward", { inputs: [dy], outputs: specs }, (backend, [out]) =>
        backend.kernels.embeddingBackward(asRows(dy), asFlat(ids!), out!),
      );
      return [dTable, undefined];
    },
  },
  reductionLength: ([, ids]) => ids!.reduce((a, b) => a * b, 1),
  samples: [
    { name: "odd width, repeated ids", inputs: [normal([5, 7]), i32Values([0, 4, 4, 2, 0, 4])], attrs: undefined },
    { name: "ids of two dims", inputs: [normal([9, 33]), integers([2, 3], 0, 9)], attrs: undefined },
    { name: "no ids", inputs: [normal([3, 4]), i32Values([])], attrs: undefined },
  ],
});

/**
 * Rows of `table`. The gradient adds the rows of a repeated id in ascending order of position.
 * @shape table [V, C], ids [...] (i32, 0..V-1) -> [..., C]
 * @throws {ValueError} E_INDEX_RANGE with the first id outside the table.
 * @source torch.nn.functional.embedding
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  if (ids.dtype === "i32")
    checkIndices("embedding", ids, { limit: table.shape[0] ?? 0, code: "E_INDEX_RANGE", what: "the id" });
  return embeddingOp.apply([table, ids], undefined)[0]!;
}
