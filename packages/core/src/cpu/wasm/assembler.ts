/**
 * @file A small WebAssembly assembler: functions built instruction by instruction, a module that imports one shared memory.
 *
 * Not here: what kernels compute (cpu/kernels). Instructions are appended in stack order; every method returns the builder.
 * @source WebAssembly core specification 2.0, binary format; relaxed SIMD from the 3.0 draft.
 */
import { type MemoryOp, memoryOpcodes, type PlainOp, plainOpcodes, type SimdOp, simdOpcodes } from "./opcodes.js";

export type { MemoryOp, PlainOp, SimdOp } from "./opcodes.js";

export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128";

const typeCode: Readonly<Record<WasmType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const low = rest & 127;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 128);
  } while (rest !== 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer. */
function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 127;
    rest >>= 7;
    const done = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0);
    bytes.push(done ? low : low | 128);
    if (done) return bytes;
  }
}

/** A local variable or parameter of the function that made it. */
export interface Local {
  readonly index: number;
  readonly type: WasmType;
}

type Words = readonly [number, number, number, number];

/** One function under construction. */
export class FunctionBuilder {
  readonly name: string;
  readonly params: readonly Local[];
  readonly results: readonly WasmType[];
  readonly #locals: WasmType[] = [];
  readonly #body: number[] = [];
  /** Pooled v128 constants by their words, and the local each is in; undefined while constants stand in the code. */
  #pool: Map<string, { readonly words: Words; readonly local: Local }> | undefined;
  #poolSource: Local | undefined;
  #poolOffset = 0;
  #poolLimit = 0;

  constructor(name: string, params: readonly WasmType[], results: readonly WasmType[] = []) {
    this.name = name;
    this.params = params.map((type, index) => ({ index, type }));
    this.results = results;
  }

  local(type: WasmType): Local {
    this.#locals.push(type);
    return { index: this.params.length + this.#locals.length - 1, type };
  }
  locals(type: WasmType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  emit(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#body.push(byte);
    return this;
  }
  op(...names: readonly (PlainOp | SimdOp)[]): this {
    for (const name of names) {
      if (name in simdOpcodes) this.emit(0xfd, ...leb(simdOpcodes[name as SimdOp]));
      else this.emit(plainOpcodes[name as PlainOp]);
    }
    return this;
  }
  /** A load or store at a constant byte offset from the address on the stack. */
  mem(name: MemoryOp, offset = 0): this {
    const align = name.startsWith("i64") || name.startsWith("f64") ? 3 : 2;
    return this.emit(...memoryOpcodes[name], align, ...leb(offset));
  }
  get(local: Local): this {
    return this.emit(0x20, ...leb(local.index));
  }
  set(local: Local): this {
    return this.emit(0x21, ...leb(local.index));
  }
  tee(local: Local): this {
    return this.emit(0x22, ...leb(local.index));
  }
  i32(value: number): this {
    return this.emit(0x41, ...signedLeb(value));
  }
  f32(value: number): this {
    return this.emit(0x43, ...new Uint8Array(new Float32Array([value]).buffer));
  }
  f64(value: number): this {
    return this.emit(0x44, ...new Uint8Array(new Float64Array([value]).buffer));
  }
  /**
   * From now on v128 constants are kept in locals that are set at the start of the function, by way of memory, which no compiler
   * sees through: V8 builds a constant anew, in four instructions, wherever it is used in a loop (exp is 1.4 times as fast this way).
   * The parameter `source` + `offset` is the address of 16 writable bytes a constant, private to the thread.
   */
  poolConstants(source: Local, offset: number, maxConstants: number): this {
    this.#pool ??= new Map();
    this.#poolSource = source;
    this.#poolOffset = offset;
    this.#poolLimit = maxConstants;
    return this;
  }
  /** v128 constant from four 32-bit words. */
  v128(words: Words): this {
    const isCheap = words.every((word) => word === words[0]) && (words[0] === 0 || words[0] === -1);
    if (!this.#pool || isCheap) return this.#constant(words);
    const key = words.join();
    if (!this.#pool.has(key) && this.#pool.size >= this.#poolLimit) return this.#constant(words);
    const pooled = this.#pool.get(key) ?? { words, local: this.local("v128") };
    this.#pool.set(key, pooled);
    return this.get(pooled.local);
  }
  #constant(words: Words): this {
    return this.emit(0xfd, 0x0c, ...new Uint8Array(new Int32Array(words).buffer));
  }
  /** v128 constant of four equal f32. */
  f32x4(value: number): this {
    const word = new Int32Array(new Float32Array([value]).buffer)[0] ?? 0;
    return this.v128([word, word, word, word]);
  }
  i32x4(value: number): this {
    return this.v128([value, value, value, value]);
  }
  /** Picks four 32-bit lanes out of the eight of two vectors. */
  shuffle32(lanes: readonly [number, number, number, number]): this {
    return this.emit(0xfd, 0x0d, ...lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)));
  }
  extractF32(lane: number): this {
    return this.emit(0xfd, 0x1f, lane);
  }
  extractI32(lane: number): this {
    return this.emit(0xfd, 0x1b, lane);
  }
  extractF64(lane: number): this {
    return this.emit(0xfd, 0x21, lane);
  }
  replaceF32(lane: number): this {
    return this.emit(0xfd, 0x20, lane);
  }
  /** Stores one 32-bit lane; takes address and vector. */
  storeLane32(lane: number, offset = 0): this {
    return this.emit(0xfd, 0x5a, 2, ...leb(offset), lane);
  }
  /** memory.copy: takes destination, source, byte length. */
  memoryCopy(): this {
    return this.emit(0xfc, 0x0a, 0, 0);
  }
  call(functionIndex: number): this {
    return this.emit(0x10, ...leb(functionIndex));
  }

  block(body: () => void): this {
    this.emit(0x02, 0x40);
    body();
    return this.emit(0x0b);
  }
  loop(body: () => void): this {
    this.emit(0x03, 0x40);
    body();
    return this.emit(0x0b);
  }
  /** Consumes the condition on the stack. */
  if(then: () => void, otherwise?: () => void): this {
    this.emit(0x04, 0x40);
    then();
    if (otherwise) {
      this.emit(0x05);
      otherwise();
    }
    return this.emit(0x0b);
  }
  /** As `if`, leaving one value of the type on the stack. */
  ifValue(type: WasmType, then: () => void, otherwise: () => void): this {
    this.emit(0x04, typeCode[type]);
    then();
    this.emit(0x05);
    otherwise();
    return this.emit(0x0b);
  }
  br(depth: number): this {
    return this.emit(0x0c, ...leb(depth));
  }
  brIf(depth: number): this {
    return this.emit(0x0d, ...leb(depth));
  }
  /** for (counter = its present value; counter < end; counter += step) body. `end` pushes an i32; signed comparison. */
  forUp(counter: Local, end: () => void, step: number, body: () => void): this {
    return this.block(() => {
      this.loop(() => {
        this.get(counter);
        end();
        this.op("i32.ge_s").brIf(1);
        body();
        this.get(counter).i32(step).op("i32.add").set(counter).br(0);
      });
    });
  }

  /** The instructions that set the pooled constants: each goes through memory. */
  #prologue(): number[] {
    const source = this.#poolSource;
    if (!this.#pool || !source) return [];
    const start = this.#body.length;
    let offset = this.#poolOffset;
    for (const { words, local } of this.#pool.values()) {
      this.get(source);
      this.#constant(words).mem("v128.store", offset);
      this.get(source).mem("v128.load", offset).set(local);
      offset += 16;
    }
    return this.#body.splice(start);
  }

  /** Locals and body as the code section wants them. */
  encodeBody(): Uint8Array<ArrayBuffer> {
    const prologue = this.#prologue();
    const locals = this.#locals.flatMap((type) => [1, typeCode[type]]);
    return sized(concatenate([leb(this.#locals.length), locals, prologue, this.#body, [0x0b]]));
  }
  encodeType(): number[] {
    return [
      0x60,
      ...leb(this.params.length),
      ...this.params.map((p) => typeCode[p.type]),
      ...leb(this.results.length),
      ...this.results.map((t) => typeCode[t]),
    ];
  }
}

export interface MemoryLimits {
  readonly initialPages: number;
  readonly maximumPages: number;
  readonly shared: boolean;
}

/** Spreading and flattening arrays of this size would take longer than all the rest of making a module. */
function concatenate(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
function sized(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate([leb(content.length), content]);
}
function section(id: number, parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  return concatenate([[id], sized(concatenate(parts))]);
}
function text(value: string): number[] {
  return [...leb(value.length), ...Array.from(value, (c) => c.charCodeAt(0))];
}

/** A module of the functions, each exported by its name, indices in the given order, on the imported memory `env.memory`. */
export function assembleModule(functions: readonly FunctionBuilder[], limits: MemoryLimits): Uint8Array<ArrayBuffer> {
  const count = leb(functions.length);
  const memory = [limits.shared ? 3 : 1, ...leb(limits.initialPages), ...leb(limits.maximumPages)];
  return concatenate([
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, [count, ...functions.map((f) => f.encodeType())]),
    section(2, [[1], text("env"), text("memory"), [2], memory]),
    section(3, [count, ...functions.map((_, index) => leb(index))]),
    section(7, [count, ...functions.map((f, index) => [...text(f.name), 0, ...leb(index)])]),
    section(10, [count, ...functions.map((f) => f.encodeBody())]),
  ]);
}
