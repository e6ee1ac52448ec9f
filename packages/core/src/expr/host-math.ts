/**
 * @file The host's transcendental functions, for f64 references only. They differ between engines in the last digits, so nothing
 * that a training run computes may come from here (design section 3, L1); run-time code uses core/scalar-math and kernels.
 */
export const hostExp = Math.exp;
export const hostLog = Math.log;
export const hostTanh = Math.tanh;
export const hostSin = Math.sin;
export const hostCos = Math.cos;
export const hostExp2 = (x: number): number => 2 ** x;
export const {
  expm1: hostExpm1,
  log2: hostLog2,
  log10: hostLog10,
  log1p: hostLog1p,
  tan: hostTan,
  asin: hostAsin,
  acos: hostAcos,
  atan: hostAtan,
  atan2: hostAtan2,
  sinh: hostSinh,
  cosh: hostCosh,
  asinh: hostAsinh,
  acosh: hostAcosh,
  atanh: hostAtanh,
  hypot: hostHypot,
} = Math;

const TWO_OVER_SQRT_PI = 1.1283791670955126;

/** Error function in f64: Taylor series up to 3, continued fraction of erfc beyond. Good to about 1e-15. */
export function hostErf(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum) && n < 200; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * TWO_OVER_SQRT_PI * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  const erfc = (Math.exp(-a * a) / (a + fraction)) * (TWO_OVER_SQRT_PI / 2);
  return Math.sign(x) * (1 - erfc);
}
