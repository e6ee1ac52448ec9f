/**
 * @file Can this engine be of numeric class `fused`? Only a proof counts: `relaxed_madd` may be two roundings or one, and may be one
 * in the baseline compiler and two in the optimising one.
 */
import { BackendError } from "../errors.js";
import type { CpuNumericClass } from "./kernel.js";
import { assembleModule, FunctionBuilder } from "./wasm/assembler.js";

/** Calls after which V8 has long since replaced the baseline code of a function of this size. */
const numCalls = 3_000;
const numRounds = 1_000;

/**
 * probe(rounds): i32 = number of products a * b + c, over changing operands, whose bits are not those of one rounding. With
 * a = 1 + i 2^-12, b = 1 - i 2^-12, c = -1 the exact result is -i^2 2^-24; rounding the product first gives another value when
 * i^2 is no multiple of the rounding step, and 0 for i = 1.
 */
function probeModule(): Uint8Array<ArrayBuffer> {
  const f = new FunctionBuilder("probe", ["i32"], ["i32"]);
  const rounds = f.params[0]!;
  const i = f.local("i32");
  const wrong = f.local("i32");
  const step = f.local("v128");
  f.i32(1).set(i);
  f.forUp(
    i,
    () => f.get(rounds),
    1,
    () => {
      // Odd i below 2,048: i^2 < 2^22 is exact in f32 and odd, so a rounded product always differs.
      f.get(i).i32(1_023).op("i32.and").i32(1).op("i32.shl").i32(1).op("i32.or");
      f.op("i32x4.splat", "f32x4.convert_i32x4_s")
        .f32x4(1 / 4_096)
        .op("f32x4.mul")
        .set(step);
      f.f32x4(1).get(step).op("f32x4.add").f32x4(1).get(step).op("f32x4.sub").f32x4(-1).op("f32x4.relaxed_madd");
      f.get(step)
        .get(step)
        .op("f32x4.mul", "f32x4.neg", "f32x4.ne", "v128.any_true")
        .get(wrong)
        .op("i32.add")
        .set(wrong);
    },
  );
  f.get(wrong);
  return assembleModule([f], { initialPages: 1, maximumPages: 1, shared: false });
}

/** True where the engine knows relaxed SIMD at all. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(probeModule());
}

/** Why this engine cannot be of class `fused`; undefined when it can. */
export function findFusedObstacle(): string | undefined {
  const bytes = probeModule();
  if (!WebAssembly.validate(bytes)) return "this engine has no relaxed SIMD (or it is switched off)";
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const { probe } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports as {
    probe: (rounds: number) => number;
  };
  for (let call = 0; call < numCalls; call++) {
    const wrong = probe(numRounds);
    if (wrong > 0)
      return `relaxed_madd rounds twice on this machine (${wrong} of ${numRounds - 1} products in call ${call})`;
  }
  return undefined;
}

/** @throws {BackendError} E_NUMERIC_CLASS with the reason when the class cannot be had here. */
export function requireNumericClass(numericClass: CpuNumericClass): void {
  if (numericClass === "strict") return;
  const reason = findFusedObstacle();
  if (reason === undefined) return;
  throw new BackendError(
    `createCpuBackend: numeric is "fused", but ${reason}; relaxed_madd must round once in both compilers of the engine. Use numeric "strict".`,
    { numeric: numericClass, reason },
    "E_NUMERIC_CLASS",
  );
}
