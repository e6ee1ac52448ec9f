/**
 * @file From an element-wise program to a kernel over rows: every input is walked with stride 1 (a vector) or 0 (one value) within a row.
 *
 * An item is a piece of at most `itemElements` of one row. Loads before the store of the same elements, so that an output may be an
 * input. Stores never pass the end of a row.
 * Args: rowLength, itemsPerRow, then address and row stride in bytes of each input and output; then the scalars, f32.
 */
import { BackendError } from "../../errors.js";
import type { Expr } from "../../expr/expr.js";
import { type ElementwiseProgram, linearize } from "../../expr/program.js";
import type { FunctionDefinition } from "../kernel.js";
import { argsBytes, maxPooledConstants } from "../memory-layout.js";
import { FunctionBuilder, type Local } from "../wasm/assembler.js";
import { costOf, emitNode } from "./lane-code.js";

export const itemElements = 4_096;

/** Which inputs are single values is kept in the bits of a mask. */
const maxInputs = 30;

export const programKernelName = "elementwise";

/** Work of an element, in units of one addition. */
export function costOfProgram(program: ElementwiseProgram): number {
  return linearize(program.outputs).nodes.reduce((sum, e) => sum + costOf(e), 0);
}

/**
 * `isSplat[i]`: input i has stride 0 within a row.
 *
 * @throws {BackendError} E_BACKEND when inputs, outputs and scalars do not fit the args block.
 */
export function programKernel(program: ElementwiseProgram, isSplat: readonly boolean[]): FunctionDefinition {
  const numWords = 3 + 2 * (program.inputs.length + program.outputs.length) + program.numScalars;
  if (4 * numWords > argsBytes || program.inputs.length > maxInputs) {
    throw new BackendError(
      `elementwise: program "${program.name}" has ${program.inputs.length} inputs and ${numWords} words of arguments; at most ` +
        `${maxInputs} and ${argsBytes / 4} fit. Split it in two.`,
      { program: program.name, numInputs: program.inputs.length, numWords },
    );
  }
  return {
    name: programKernelName,
    build() {
      const f = new FunctionBuilder(programKernelName, ["i32", "i32", "i32"]);
      new KernelEmitter(f, program, isSplat).emit();
      return f;
    },
  };
}

interface Operand {
  readonly address: Local;
  readonly rowStride: Local;
  /** Address of the present piece. */
  readonly pointer: Local;
}

class KernelEmitter {
  readonly #f: FunctionBuilder;
  readonly #program: ElementwiseProgram;
  readonly #isSplat: readonly boolean[];
  readonly #nodes: readonly Expr[];
  readonly #idOf: ReadonlyMap<Expr, number>;
  /** Local of each node, by id. */
  readonly #values: readonly Local[];
  /** Byte offset within the piece. */
  readonly #offset: Local;
  #inputs: readonly Operand[] = [];
  #outputs: readonly Operand[] = [];

  constructor(f: FunctionBuilder, program: ElementwiseProgram, isSplat: readonly boolean[]) {
    this.#f = f;
    this.#program = program;
    this.#isSplat = isSplat;
    const { nodes, idOf } = linearize(program.outputs);
    this.#nodes = nodes;
    this.#idOf = idOf;
    this.#values = nodes.map(() => f.local("v128"));
    this.#offset = f.local("i32");
  }

  emit(): void {
    const f = this.#f;
    const [item, end, args] = f.params as [Local, Local, Local];
    f.poolConstants(args, argsBytes, maxPooledConstants);
    let offset = 4;
    const load = (): Local => {
      const local = f.local("i32");
      f.get(args).mem("i32.load", offset).set(local);
      offset += 4;
      return local;
    };
    const rowLength = load();
    const itemsPerRow = load();
    const operand = (): Operand => ({ address: load(), rowStride: load(), pointer: f.local("i32") });
    this.#inputs = this.#program.inputs.map(operand);
    this.#outputs = this.#program.outputs.map(operand);
    for (const [id, e] of this.#nodes.entries()) {
      if (e.kind === "scalar")
        f.get(args)
          .mem("v128.load32_splat", offset + 4 * e.index)
          .set(this.#value(id));
    }
    f.forUp(
      item,
      () => f.get(end),
      1,
      () => this.#emitItem(item, rowLength, itemsPerRow),
    );
  }

  #value(id: number): Local {
    return this.#values[id] as Local;
  }

  #emitItem(item: Local, rowLength: Local, itemsPerRow: Local): void {
    const f = this.#f;
    const [row, start, count] = f.locals("i32", 3) as [Local, Local, Local];
    f.get(item).get(itemsPerRow).op("i32.div_u").set(row);
    f.get(item).get(row).get(itemsPerRow).op("i32.mul", "i32.sub").i32(itemElements).op("i32.mul").set(start);
    f.get(rowLength).get(start).op("i32.sub").tee(count).i32(itemElements);
    f.get(count).i32(itemElements).op("i32.lt_s", "select").set(count);
    for (const [i, { address, rowStride, pointer }] of [...this.#inputs, ...this.#outputs].entries()) {
      f.get(address).get(row).get(rowStride).op("i32.mul", "i32.add");
      if (!this.#isSplat[i]) f.get(start).i32(2).op("i32.shl", "i32.add");
      f.set(pointer);
    }
    for (const [id, e] of this.#nodes.entries()) {
      if (e.kind !== "input" || !this.#isSplat[e.index]) continue;
      f.get((this.#inputs[e.index] as Operand).pointer)
        .mem("v128.load32_splat")
        .set(this.#value(id));
    }
    f.i32(0).set(this.#offset);
    this.#emitLoops(count);
  }

  /** Whole groups of vectors, whole vectors, then the elements that are left. */
  #emitLoops(count: Local): void {
    const f = this.#f;
    const end = f.local("i32");
    const unroll = this.#unroll();
    const loop = (vectors: number) => {
      f.get(count)
        .i32(-4 * vectors)
        .op("i32.and")
        .i32(2)
        .op("i32.shl")
        .set(end);
      f.forUp(
        this.#offset,
        () => f.get(end),
        16 * vectors,
        () => {
          for (let v = 0; v < vectors; v++) this.#emitVector(16 * v, (output, at) => this.#storeVector(output, at));
        },
      );
    };
    if (unroll > 1) loop(unroll);
    loop(1);
    f.get(count)
      .i32(3)
      .op("i32.and")
      .tee(end)
      .if(() => {
        this.#emitVector(0, (output) => this.#storeLanes(output, end));
      });
  }

  #unroll(): number {
    const cost = costOfProgram(this.#program);
    return cost <= 8 ? 4 : cost <= 40 ? 2 : 1;
  }

  /** Computes four elements at constant byte offset `at` from the present place. */
  #emitVector(at: number, store: (output: number, at: number) => void): void {
    const f = this.#f;
    for (const [id, e] of this.#nodes.entries()) {
      if (e.kind === "scalar" || (e.kind === "input" && this.#isSplat[e.index])) continue;
      if (e.kind === "input") {
        f.get((this.#inputs[e.index] as Operand).pointer)
          .get(this.#offset)
          .op("i32.add")
          .mem("v128.load", at);
      } else {
        emitNode(f, e, (operand) => f.get(this.#value(this.#idOf.get(operand) as number)));
      }
      f.set(this.#value(id));
    }
    for (let output = 0; output < this.#outputs.length; output++) store(output, at);
  }

  #pushOutputAddress(output: number): FunctionBuilder {
    return this.#f
      .get((this.#outputs[output] as Operand).pointer)
      .get(this.#offset)
      .op("i32.add");
  }
  #outputValue(output: number): Local {
    return this.#value(this.#idOf.get(this.#program.outputs[output] as Expr) as number);
  }

  #storeVector(output: number, at: number): void {
    this.#pushOutputAddress(output).get(this.#outputValue(output)).mem("v128.store", at);
  }

  /** The first one to three lanes. */
  #storeLanes(output: number, count: Local): void {
    const f = this.#f;
    for (let lane = 0; lane < 3; lane++) {
      const store = () =>
        this.#pushOutputAddress(output)
          .get(this.#outputValue(output))
          .storeLane32(lane, 4 * lane);
      if (lane === 0) store();
      else f.get(count).i32(lane).op("i32.gt_s").if(store);
    }
  }
}
