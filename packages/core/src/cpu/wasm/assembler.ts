/**
 * @file A small WebAssembly assembler: functions built instruction by instruction, a module that imports one shared memory.
 *
 * Not here: what kernels compute (cpu/kernels). Instructions are appended in stack order; every method returns the builder.
 * @source WebAssembly core specification 2.0, binary format; relaxed SIMD from the 3.0 draft.
 */

export type WasmType = "i32" | "i64" | "f32" | "f64" | "v128";

const typeCode: Readonly<Record<WasmType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Unsigned LEB128. */
export function leb(value: number): number[] {
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
export function signedLeb(value: number): number[] {
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

/** One-byte and SIMD opcodes by their text-format names (SIMD ones have the 0xfd prefix). */
const plain = {
  "i32.eqz": 0x45,
  "i32.eq": 0x46,
  "i32.ne": 0x47,
  "i32.lt_s": 0x48,
  "i32.lt_u": 0x49,
  "i32.gt_s": 0x4a,
  "i32.gt_u": 0x4b,
  "i32.le_s": 0x4c,
  "i32.le_u": 0x4d,
  "i32.ge_s": 0x4e,
  "i32.ge_u": 0x4f,
  "i32.add": 0x6a,
  "i32.sub": 0x6b,
  "i32.mul": 0x6c,
  "i32.div_s": 0x6d,
  "i32.div_u": 0x6e,
  "i32.rem_s": 0x6f,
  "i32.rem_u": 0x70,
  "i32.and": 0x71,
  "i32.or": 0x72,
  "i32.xor": 0x73,
  "i32.shl": 0x74,
  "i32.shr_s": 0x75,
  "i32.shr_u": 0x76,
  "i32.rotl": 0x77,
  "i64.add": 0x7c,
  "i64.mul": 0x7e,
  "i64.xor": 0x85,
  "i64.shl": 0x86,
  "i64.shr_u": 0x88,
  "f32.eq": 0x5b,
  "f32.ne": 0x5c,
  "f32.lt": 0x5d,
  "f32.gt": 0x5e,
  "f32.le": 0x5f,
  "f32.ge": 0x60,
  "f32.abs": 0x8b,
  "f32.neg": 0x8c,
  "f32.floor": 0x8e,
  "f32.nearest": 0x90,
  "f32.sqrt": 0x91,
  "f32.add": 0x92,
  "f32.sub": 0x93,
  "f32.mul": 0x94,
  "f32.div": 0x95,
  "f32.min": 0x96,
  "f32.max": 0x97,
  "f64.add": 0xa0,
  "f64.sub": 0xa1,
  "f64.mul": 0xa2,
  "f64.div": 0xa3,
  "f64.sqrt": 0x9f,
  "i32.wrap_i64": 0xa7,
  "f32.convert_i32_s": 0xb2,
  "f32.demote_f64": 0xb6,
  "i64.extend_i32_u": 0xad,
  "f64.promote_f32": 0xbb,
  "i32.reinterpret_f32": 0xbc,
  "f32.reinterpret_i32": 0xbe,
  select: 0x1b,
  drop: 0x1a,
  return: 0x0f,
  unreachable: 0x00,
} as const;

const simd = {
  "i8x16.swizzle": 0x0e,
  "i32x4.splat": 0x11,
  "i64x2.splat": 0x12,
  "f32x4.splat": 0x13,
  "f64x2.splat": 0x14,
  "i32x4.eq": 0x37,
  "i32x4.ne": 0x38,
  "i32x4.lt_s": 0x39,
  "i32x4.gt_s": 0x3b,
  "i32x4.le_s": 0x3d,
  "i32x4.ge_s": 0x3f,
  "f32x4.eq": 0x41,
  "f32x4.ne": 0x42,
  "f32x4.lt": 0x43,
  "f32x4.gt": 0x44,
  "f32x4.le": 0x45,
  "f32x4.ge": 0x46,
  "v128.not": 0x4d,
  "v128.and": 0x4e,
  "v128.andnot": 0x4f,
  "v128.or": 0x50,
  "v128.xor": 0x51,
  "v128.bitselect": 0x52,
  "v128.any_true": 0x53,
  "f32x4.demote_f64x2_zero": 0x5e,
  "f64x2.promote_low_f32x4": 0x5f,
  "f32x4.ceil": 0x67,
  "f32x4.floor": 0x68,
  "f32x4.trunc": 0x69,
  "f32x4.nearest": 0x6a,
  "i32x4.abs": 0xa0,
  "i32x4.neg": 0xa1,
  "i32x4.all_true": 0xa3,
  "i32x4.bitmask": 0xa4,
  "i32x4.shl": 0xab,
  "i32x4.shr_s": 0xac,
  "i32x4.shr_u": 0xad,
  "i32x4.add": 0xae,
  "i32x4.sub": 0xb1,
  "i32x4.mul": 0xb5,
  "i32x4.min_s": 0xb6,
  "i32x4.max_s": 0xb8,
  "i64x2.shl": 0xcb,
  "i64x2.shr_u": 0xcd,
  "i64x2.add": 0xce,
  "i64x2.sub": 0xd1,
  "i64x2.mul": 0xd5,
  "i64x2.extmul_low_i32x4_u": 0xde,
  "i64x2.extmul_high_i32x4_u": 0xdf,
  "f32x4.abs": 0xe0,
  "f32x4.neg": 0xe1,
  "f32x4.sqrt": 0xe3,
  "f32x4.add": 0xe4,
  "f32x4.sub": 0xe5,
  "f32x4.mul": 0xe6,
  "f32x4.div": 0xe7,
  "f32x4.min": 0xe8,
  "f32x4.max": 0xe9,
  "f32x4.pmin": 0xea,
  "f32x4.pmax": 0xeb,
  "f64x2.nearest": 0x94,
  "f64x2.add": 0xf0,
  "f64x2.sub": 0xf1,
  "f64x2.mul": 0xf2,
  "f64x2.div": 0xf3,
  "i32x4.trunc_sat_f32x4_s": 0xf8,
  "f32x4.convert_i32x4_s": 0xfa,
  "i32x4.trunc_sat_f64x2_s_zero": 0xfc,
  "f64x2.convert_low_i32x4_s": 0xfe,
  "f32x4.relaxed_madd": 0x105,
} as const;

export type PlainOp = keyof typeof plain;
export type SimdOp = keyof typeof simd;

/** Memory instructions: opcode bytes and log2 of the natural alignment (we always claim 4-byte alignment or less). */
const memory = {
  "i32.load": [0x28],
  "i64.load": [0x29],
  "f32.load": [0x2a],
  "f64.load": [0x2b],
  "i32.store": [0x36],
  "i64.store": [0x37],
  "f32.store": [0x38],
  "f64.store": [0x39],
  "v128.load": [0xfd, 0x00],
  "v128.store": [0xfd, 0x0b],
  "v128.load32_splat": [0xfd, 0x09],
  "v128.load32_zero": [0xfd, 0x5c],
  "v128.load64_zero": [0xfd, 0x5d],
  "v128.load64_splat": [0xfd, 0x0a],
} as const;

export type MemoryOp = keyof typeof memory;

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
      if (name in simd) this.emit(0xfd, ...leb(simd[name as SimdOp]));
      else this.emit(plain[name as PlainOp]);
    }
    return this;
  }
  /** A load or store at a constant byte offset from the address on the stack. */
  mem(name: MemoryOp, offset = 0): this {
    const align = name.startsWith("i64") || name.startsWith("f64") ? 3 : 2;
    return this.emit(...memory[name], align, ...leb(offset));
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
  encodeBody(): number[] {
    const prologue = this.#prologue();
    const locals = this.#locals.flatMap((type) => [1, typeCode[type]]);
    const body = [...leb(this.#locals.length), ...locals, ...prologue, ...this.#body, 0x0b];
    return [...leb(body.length), ...body];
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

function section(id: number, content: readonly number[]): number[] {
  const bytes = [id, ...leb(content.length)];
  for (const byte of content) bytes.push(byte);
  return bytes;
}
function text(value: string): number[] {
  return [...leb(value.length), ...Array.from(value, (c) => c.charCodeAt(0))];
}

/** A module of the functions, each exported by its name, indices in the given order, on the imported memory `env.memory`. */
export function assembleModule(functions: readonly FunctionBuilder[], limits: MemoryLimits): Uint8Array<ArrayBuffer> {
  const flags = limits.shared ? 3 : 1;
  const parts = [
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    section(1, [...leb(functions.length), ...functions.flatMap((f) => f.encodeType())]),
    section(2, [
      1,
      ...text("env"),
      ...text("memory"),
      2,
      flags,
      ...leb(limits.initialPages),
      ...leb(limits.maximumPages),
    ]),
    section(3, [...leb(functions.length), ...functions.flatMap((_, index) => leb(index))]),
    section(7, [...leb(functions.length), ...functions.flatMap((f, index) => [...text(f.name), 0, ...leb(index)])]),
    section(10, [...leb(functions.length), ...functions.flatMap((f) => f.encodeBody())]),
  ];
  return new Uint8Array(parts.flat());
}
