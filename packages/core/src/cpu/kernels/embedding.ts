/**
 * @file embedding: rows of a table by id, and the gradient of the table.
 *
 * Legend: N number of ids, V vocab, C embed.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  and,
  assign,
  define,
  forRange,
  loadInt,
  min,
  mul,
  push,
  storeVector,
  sub,
  words,
} from "../wasm/integer.js";
import { copyRow, storePart } from "./row-loop.js";

/** Elements that take about 20 us. */
const grainElements = 60_000;

const args = { table: "i32", ids: "i32", out: "i32", length: "i32" } as const;
const backwardArgs = { dOut: "i32", ids: "i32", numIds: "i32", dTable: "i32", numRows: "i32", length: "i32" } as const;

/** An item is an id. */
const embedding = defineKernel("embedding", args, ({ f, begin, end, arg, context }) => {
  const [table, ids, out, length] = [arg("table"), arg("ids"), arg("out"), arg("length")];
  forRange(f, { from: begin, to: end }, (n) => {
    push(f, add(table, words(mul(loadInt(add(ids, words(n))), length))));
    push(f, add(out, words(mul(n, length))))
      .get(length)
      .call(context.indexOf(copyRow));
  });
});

/**
 * An item is four columns, so that each element of the table has one accumulator, in one thread: +0, then the rows of dOut with its
 * id over ascending n.
 */
const embeddingBackward = defineKernel("embeddingBackward", backwardArgs, ({ f, begin, end, arg }) => {
  const [dOut, ids, numIds] = [arg("dOut"), arg("ids"), arg("numIds")];
  const [dTable, numRows, length] = [arg("dTable"), arg("numRows"), arg("length")];
  const start = define(f, mul(begin, 16));
  const last = define(f, mul(end, 4));
  assign(f, last, min(last, length));
  const wholeBytes = define(f, sub(words(and(last, -4)), start));
  // 1 to 3 columns beyond the last whole vector, if they are ours.
  const rest = define(f, and(last, 3));
  const rowBytes = define(f, words(length));
  const [from, to, tail] = f.locals("i32", 3) as [Local, Local, Local];
  const vector = f.local("v128");
  const addRow = (pushTerm: (offset: Local) => void): void => {
    forRange(f, { from: 0, to: wholeBytes, step: 16 }, (offset) => {
      pushTerm(offset);
      f.set(vector);
      storeVector(f, vector, add(to, offset));
    });
    push(f, rest).if(() => {
      pushTerm(wholeBytes);
      f.set(vector);
      assign(f, tail, add(to, wholeBytes));
      storePart(f, vector, tail, rest);
    });
  };
  assign(f, to, add(dTable, start));
  forRange(f, { from: 0, to: numRows }, () => {
    addRow(() => void f.f32x4(0));
    assign(f, to, add(to, rowBytes));
  });
  assign(f, from, add(dOut, start));
  forRange(f, { from: 0, to: numIds }, (n) => {
    assign(f, to, add(dTable, start, mul(loadInt(add(ids, words(n))), rowBytes)));
    addRow((offset) => {
      push(f, add(to, offset)).mem("v128.load");
      push(f, add(from, offset)).mem("v128.load").op("f32x4.add");
    });
    assign(f, from, add(from, rowBytes));
  });
});

function forward(host: KernelHost, table: TensorView, io: { ids: TensorView; out: TensorView }): void {
  const [numItems = 0, length = 0] = io.out.shape;
  if (numItems * length === 0) return;
  const values = {
    table: host.addressOf(table),
    ids: host.addressOf(io.ids),
    out: host.addressOf(io.out),
    length,
  };
  host.launch(embedding, values, { numItems, grain: Math.ceil(grainElements / length) });
}

function backward(host: KernelHost, dOut: TensorView, io: { ids: TensorView; dTable: TensorView }): void {
  const [numRows = 0, length = 0] = io.dTable.shape;
  const numIds = io.ids.shape[0] ?? 0;
  if (numRows * length === 0) return;
  const values = {
    dOut: host.addressOf(dOut),
    ids: host.addressOf(io.ids),
    numIds,
    dTable: host.addressOf(io.dTable),
    numRows,
    length,
  };
  // At least a cache line of columns.
  const grain = Math.max(4, Math.ceil(grainElements / (4 * (numIds + numRows))));
  host.launch(embeddingBackward, values, { numItems: Math.ceil(length / 4), grain });
}

export const embeddingRoom: KernelRoom<Pick<KernelTable, "embedding" | "embeddingBackward">> = {
  kernels: [embedding, embeddingBackward],
  rows: (host) => ({
    embedding: (table, ids, out) => forward(host, table, { ids, out }),
    embeddingBackward: (dOut, ids, dTable) => backward(host, dOut, { ids, dTable }),
  }),
};
