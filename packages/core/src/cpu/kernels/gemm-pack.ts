/**
 * @file Packing: copies a piece of a matrix into panels of 4 or 8 lines, ascending k inside, as the tiles read them.
 *
 * A line is a row of A or a column of B. Panel p holds lines p*width .. p*width + width - 1; for each k their `width` floats stand
 * side by side. The last panel repeats its last line; nobody stores what comes of the repetition.
 */
import { defineFunction, type FunctionDefinition } from "../kernel.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, min, mul, push, sub, words } from "../wasm/integer.js";

/** Bytes that a pack may write past the panels. */
export const packSlackBytes = 256;

const signature = { params: ["i32", "i32", "i32", "i32", "i32"] as const, results: [] };

/** Writes the transposed 4 x 4 block of four vectors (lines) as rows (k) at `to`, `rowBytes` apart. */
function emitTransposed(
  f: FunctionBuilder,
  lines: readonly Local[],
  to: { at: Local; offset: number; rowBytes: number },
): void {
  const [x, y, z, w] = lines as [Local, Local, Local, Local];
  const [low01, low23, high01, high23] = f.locals("v128", 4) as [Local, Local, Local, Local];
  f.get(x).get(y).shuffle32([0, 4, 1, 5]).set(low01);
  f.get(z).get(w).shuffle32([0, 4, 1, 5]).set(low23);
  f.get(x).get(y).shuffle32([2, 6, 3, 7]).set(high01);
  f.get(z).get(w).shuffle32([2, 6, 3, 7]).set(high23);
  const pairs = [
    [low01, low23],
    [high01, high23],
  ] as const;
  pairs.forEach(([first, second], half) => {
    const offset = to.offset + 2 * half * to.rowBytes;
    f.get(to.at).get(first).get(second).shuffle32([0, 1, 4, 5]).mem("v128.store", offset);
    f.get(to.at)
      .get(first)
      .get(second)
      .shuffle32([2, 3, 6, 7])
      .mem("v128.store", offset + to.rowBytes);
  });
}

/** Lines are contiguous along k: (source, bytes from line to line, number of lines, depth, destination). */
function packAlongDepth(width: number): FunctionDefinition {
  return defineFunction(`gemmPackAlongDepth${width}`, signature, (f, params) => {
    const [source, lineBytes, lines, depth, destination] = params as [Local, Local, Local, Local, Local];
    const panel = define(f, destination);
    const to = f.local("i32");
    const pointers = f.locals("i32", width);
    const vectors = f.locals("v128", 4);
    const last = f.local("i32");
    forRange(f, { from: 0, to: lines, step: width }, (first) => {
      assign(f, last, sub(sub(lines, first), 1));
      pointers.forEach((pointer, q) => {
        assign(f, pointer, add(source, mul(lineBytes, add(first, min(last, q)))));
      });
      assign(f, to, panel);
      // Four k at a time: up to three past the end go to the next panel, which is written after this one, or to the slack.
      forRange(f, { from: 0, to: depth, step: 4 }, () => {
        for (let quad = 0; quad < width; quad += 4) {
          vectors.forEach(
            (vector, q) =>
              void f
                .get(pointers[quad + q]!)
                .mem("v128.load")
                .set(vector),
          );
          emitTransposed(f, vectors, { at: to, offset: 4 * quad, rowBytes: 4 * width });
        }
        for (const pointer of pointers) increase(f, pointer, 16);
        increase(f, to, 16 * width);
      });
      increase(f, panel, mul(depth, 4 * width));
    });
  });
}

/** Lines stand side by side for each k: (source, bytes from k to k + 1, number of lines, depth, destination). */
function packAcrossLines(width: number): FunctionDefinition {
  return defineFunction(`gemmPackAcrossLines${width}`, signature, (f, params) => {
    const [source, depthBytes, lines, depth, destination] = params as [Local, Local, Local, Local, Local];
    const to = define(f, destination);
    const from = f.local("i32");
    forRange(f, { from: 0, to: lines, step: width }, (first) => {
      assign(f, from, add(source, words(first)));
      forRange(f, { from: 0, to: depth }, () => {
        for (let v = 0; v < width / 4; v++)
          push(f, to)
            .get(from)
            .mem("v128.load", 16 * v)
            .mem("v128.store", 16 * v);
        increase(f, from, depthBytes);
        increase(f, to, 4 * width);
      });
    });
  });
}

export interface Packers {
  readonly alongDepth: FunctionDefinition;
  readonly acrossLines: FunctionDefinition;
}
/** For panels of 4 rows of A. */
export const packRows: Packers = { alongDepth: packAlongDepth(4), acrossLines: packAcrossLines(4) };
/** For panels of 8 columns of B. */
export const packColumns: Packers = { alongDepth: packAlongDepth(8), acrossLines: packAcrossLines(8) };
