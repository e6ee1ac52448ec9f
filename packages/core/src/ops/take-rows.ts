/** @file Rows by index: read (takeRows), added (addRows), written (putRows). What every kind of integer indexing is made of. */
import { DTypeError, ShapeError } from "../errors.js";
import { zerosLike } from "../tensor/create.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { contiguousCopy, defineStructural, type StructuralOp } from "./apply.js";
import { where as choose, eq } from "./compare.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { referenceFrom } from "./reference-arrays.js";
import { i32Values, integers, normal } from "./samples.js";
import { countBeside } from "./wrap-indices.js";

export interface AddRowsAttrs {
  /** Rows of the result. */
  readonly size: number;
}

function checkRows(where: string, rows: TensorSpec, ids: TensorSpec, numRows = rows.shape[0]): void {
  if (ids.dtype !== "i32") {
    throw new DTypeError(`${where}: ids are ${ids.dtype}; they must be i32. Use cast("i32").`, { ids: ids.dtype });
  }
  if (rows.shape.length !== 2 || ids.shape.length !== 1 || numRows !== rows.shape[0]) {
    throw new ShapeError(
      `${where}: rows are ${formatShape(rows.shape)} and ids ${formatShape(ids.shape)}; they must be [N,R] and [P], and what is written one row for each id.`,
      { rows: rows.shape, ids: ids.shape },
    );
  }
}

/** Inputs x [N, R] of any dtype, ids [P] (i32, 0..N-1) -> [P, R]. */
export const takeRowsOp: StructuralOp<undefined> = defineStructural<undefined>({
  name: "takeRows",
  shapeRule: ([x, ids]) => {
    checkRows("takeRows", x!, ids!);
    return [{ shape: [ids!.shape[0]!, x!.shape[1]!], dtype: x!.dtype }];
  },
  reference: ([x, ids]) => {
    const width = x!.shape[1]!;
    const place = (i: number) => ids!.values[Math.floor(i / width)]! * width + (i % width);
    return [referenceFrom([ids!.shape[0]!, width], (i) => x!.values[place(i)]!)];
  },
  run: (backend, [x, ids], [out]) => backend.kernels.embedding(x!, ids!, out!),
  vjp: {
    saves: { inputs: [1] },
    pull: ({ inputs: [, ids], inputShapes }, dOut) => [
      addRowsOp.apply([ids!, dOut], { size: inputShapes[0]![0]! })[0],
      undefined,
    ],
  },
  samples: [
    { name: "odd width, repeated", inputs: [normal([5, 7]), i32Values([0, 4, 4, 2, 0, 4])], attrs: undefined },
    { name: "single elements", inputs: [normal([33, 1]), integers([41], 0, 33)], attrs: undefined },
    { name: "integers", inputs: [integers([6, 3], -9, 9), i32Values([5, 0, 5])], attrs: undefined },
    { name: "no ids", inputs: [normal([3, 4]), i32Values([])], attrs: undefined },
    { name: "no columns", inputs: [normal([3, 0]), i32Values([1, 2])], attrs: undefined },
  ],
});

/** Inputs ids [P], source [P, R] -> zeros [size, R] with the rows added at their ids, over ascending p. */
export const addRowsOp: StructuralOp<AddRowsAttrs> = defineStructural<AddRowsAttrs>({
  name: "addRows",
  shapeRule: ([ids, source], { size }) => {
    checkRows("addRows", source!, ids!, ids!.shape[0]);
    if (source!.dtype === "u8" || source!.dtype === "bool") {
      throw new DTypeError(`addRows: the source is ${source!.dtype}; it must be f32 or i32. Use cast("i32").`, {
        source: source!.dtype,
      });
    }
    return [{ shape: [size, source!.shape[1]!], dtype: source!.dtype }];
  },
  reference: ([ids, source], { size }) => {
    const width = source!.shape[1]!;
    const out = referenceFrom([size, width], () => 0);
    writeReference(out, { ids: ids!, source: source! }, (old, value) => old + value);
    return [out];
  },
  run: (backend, [ids, source], [out], { size }) => {
    const [indexLength, inner] = source!.shape as [number, number];
    // One column: the kernel for many columns would work on a quarter of a vector.
    const view = { outer: 1, axisLength: size, inner, indexLength };
    if (inner === 1) backend.kernels.scatterAdd(ids!, source!, view, out!);
    else if (source!.dtype === "i32") {
      const wide = ids!.alias({ offset: ids!.offset, shape: source!.shape, strides: [1, 0] });
      const places = contiguousCopy(wide);
      backend.kernels.scatterAdd(places, source!, view, out!);
      for (const used of [wide, places]) used.dispose();
    } else backend.kernels.embeddingBackward(source!, ids!, out!);
  },
  vjp: {
    saves: { inputs: [0] },
    pull: ({ inputs: [ids] }, dOut) => [undefined, takeRowsOp.apply([dOut, ids!], undefined)[0]],
  },
  reductionLength: ([ids]) => ids![0]!,
  samples: [
    { name: "odd width, repeated", inputs: [i32Values([4, 0, 4, 4]), normal([4, 7])], attrs: { size: 6 } },
    { name: "single elements", inputs: [integers([50], 0, 9), normal([50, 1])], attrs: { size: 9 } },
    { name: "no ids", inputs: [i32Values([]), normal([0, 4])], attrs: { size: 3 } },
    { name: "integers", inputs: [i32Values([4, 0, 4]), integers([3, 5], -9, 9)], attrs: { size: 6 } },
  ],
});

/** Inputs x [N, R], ids [P], source [P, R] of x's dtype -> x with rows replaced; of several rows at one place the last stays. */
export const putRowsOp: StructuralOp<undefined> = defineStructural<undefined>({
  name: "putRows",
  shapeRule: ([x, ids, source]) => {
    checkRows("putRows", source!, ids!, ids!.shape[0]);
    checkRows("putRows", x!, ids!);
    if (source!.dtype !== x!.dtype || source!.shape[1] !== x!.shape[1]) {
      throw new DTypeError(
        `putRows: x is ${formatShape(x!.shape)} ${x!.dtype} and the source ${formatShape(source!.shape)} ${source!.dtype}; both must have the same dtype and width.`,
        { x: x!.dtype, source: source!.dtype },
      );
    }
    return [x!];
  },
  reference: ([x, ids, source]) => {
    const out = { shape: x!.shape, values: x!.values.slice() };
    writeReference(out, { ids: ids!, source: source! }, (_, value) => value);
    return [out];
  },
  run: (backend, [x, ids, source], [out]) => {
    backend.kernels.copy(x!, out!);
    backend.kernels.putRows(ids!, source!, out!);
  },
  vjp: {
    saves: { inputs: [1] },
    pull: ({ inputs: [, ids], inputShapes, needs }, dOut) => {
      const zeros = zerosLike({ shape: inputShapes[2]!, dtype: "f32", backend: dOut.backend });
      return [
        needs[0] ? putRowsOp.apply([dOut, ids!, zeros], undefined)[0] : undefined,
        undefined,
        needs[2]
          ? choose(staysThere(ids!, inputShapes[0]![0]!), takeRowsOp.apply([dOut, ids!], undefined)[0]!, 0)
          : undefined,
      ];
    },
  },
  samples: [
    {
      name: "odd width, repeated",
      inputs: [normal([5, 7]), i32Values([4, 0, 4]), normal([3, 7])],
      attrs: undefined,
    },
    { name: "single elements", inputs: [normal([33, 1]), integers([50], 0, 33), normal([50, 1])], attrs: undefined },
    { name: "wide", inputs: [normal([3, 70]), i32Values([2, 1]), normal([2, 70])], attrs: undefined, checkVjp: false },
    { name: "integers", inputs: [integers([4, 2], 0, 9), i32Values([3, 3]), integers([2, 2], 0, 9)], attrs: undefined },
    { name: "no ids", inputs: [normal([3, 4]), i32Values([]), normal([0, 4])], attrs: undefined },
  ],
});

/** [P, 1]: 1 where no later id is the same. */
function staysThere(ids: Tensor, numRows: number): Tensor {
  const numIds = ids.size;
  const order = countBeside(ids, numIds, [numIds, 1]);
  const nowhere = zerosLike({ shape: [numRows, 1], dtype: "i32", backend: ids.backend });
  const last = putRowsOp.apply([nowhere, ids, order], undefined)[0]!;
  return eq(takeRowsOp.apply([last, ids], undefined)[0]!, order);
}

function writeReference(
  out: ReferenceArray,
  { ids, source }: { readonly ids: ReferenceArray; readonly source: ReferenceArray },
  combine: (old: number, value: number) => number,
): void {
  const width = source.shape[1]!;
  source.values.forEach((value, i) => {
    const place = ids.values[Math.floor(i / width)]! * width + (i % width);
    out.values[place] = combine(out.values[place]!, value);
  });
}
