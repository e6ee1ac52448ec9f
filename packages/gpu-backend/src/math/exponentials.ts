/**
 * @file exp, log and their families. WGSL's own have errors of tens of ulp and differ between adapters; these are within a few.
 *
 * @source Cephes expf, logf (S. L. Moshier, netlib.org/cephes, single/), as core's cpu/vector-math; erf: N. Juffa's minimax fit.
 */
import type { WgslLibrary } from "../launch/kernel.js";
import { bits } from "./bits.js";

export const exponential: WgslLibrary = {
  name: "exponential",
  requires: [bits],
  code: `
fn powerOfTwo(e: i32) -> f32 { return bitcast<f32>(u32(e + 127) << 23u); }
/* e^r - 1 for |r| <= ln 2 / 2 */
fn expFraction(r: f32) -> f32 {
  var q = 1.98756915e-4;
  q = q * r + 1.3981999507e-3;
  q = q * r + 8.3334519073e-3;
  q = q * r + 4.1665795894e-2;
  q = q * r + 1.6666665459e-1;
  q = q * r + 5.0000001201e-1;
  return q * (r * r) + r;
}
/* 2^n (1 + fraction), in two exact factors */
fn scaled(fraction: f32, n: i32) -> f32 {
  let half = n >> 1u;
  return (fraction + 1.0) * powerOfTwo(half) * powerOfTwo(n - half);
}
struct ExpParts { fraction: f32, n: i32 }
fn expParts(x: f32) -> ExpParts {
  let n = round(x * 1.4426950408889634);
  let r = (x - n * 0.693359375) - n * -2.1219444e-4;
  return ExpParts(expFraction(r), i32(n));
}
fn expOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (x > 88.72284) { return inf(); }
  if (x < -104.0) { return 0.0; }
  let parts = expParts(x);
  return scaled(parts.fraction, parts.n);
}
fn exp2Of(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (x >= 128.0) { return inf(); }
  if (x < -150.0) { return 0.0; }
  let n = round(x);
  return scaled(expFraction((x - n) * 0.6931471805599453), i32(n));
}
fn expm1Of(x: f32) -> f32 {
  if (isNan(x) || abs(x) < 5.9604644775390625e-8) { return x; }
  if (x > 88.72284) { return inf(); }
  if (x < -18.0) { return -1.0; }
  let parts = expParts(x);
  let half = powerOfTwo(parts.n - 1);
  return (parts.fraction * half + (half - 0.5)) * 2.0;
}
fn tanhOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let m = expm1Of(min(abs(x), 10.0) * 2.0);
  return withSign(m / (m + 2.0), signOf(x));
}
fn halfExp(a: f32) -> f32 { let root = expOf(a * 0.5); return root * 0.5 * root; }
fn sinhOf(x: f32) -> f32 {
  if (isNan(x) || isInf(x)) { return x; }
  let a = abs(x);
  if (a > 80.0) { return withSign(halfExp(a), signOf(x)); }
  let m = expm1Of(a);
  return withSign((m + m / (m + 1.0)) * 0.5, signOf(x));
}
fn coshOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (a > 80.0) { return halfExp(a); }
  let half = expOf(a) * 0.5;
  return half + 0.25 / half;
}
fn erfOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let t = min(abs(x), 4.0);
  if (t <= 0.927734375) {
    let s = t * t;
    var q = -5.96761703e-4;
    q = q * s + 4.99119423e-3;
    q = q * s + -2.67681349e-2;
    q = q * s + 1.12819925e-1;
    q = q * s + -3.76125336e-1;
    q = q * s + 1.28379166e-1;
    return withSign(q * t + t, signOf(x));
  }
  var q = -1.7285347e-5;
  q = q * t + 3.83197126e-4;
  q = q * t + -3.88396438e-3;
  q = q * t + 2.42546219e-2;
  q = q * t + -1.06777877e-1;
  q = q * t + -6.34846687e-1;
  q = q * t + -1.28717512e-1;
  return withSign(1.0 - expOf(q * t - t), signOf(x));
}`,
};

export const logarithm: WgslLibrary = {
  name: "logarithm",
  requires: [bits],
  code: `
/* x = (1 + m) 2^e; log(1 + m) = m - m^2 / 2 + tail */
struct LogParts { e: f32, m: f32, tail: f32 }
fn logParts(x: f32) -> LogParts {
  var word = bitcast<u32>(x);
  var shift = 0.0;
  if (word < 0x00800000u) {
    /* below the normal range: the leading bit is moved up by integers, because devices may flush such numbers */
    let lead = countLeadingZeros(word) - 8u;
    word = (word << lead); /* the leading bit is now bit 23: exponent field 1, as of 2^-126 */
    shift = f32(lead);
  }
  let exponent = i32(word - 0x3f3504f3u) >> 23u;
  let m = bitcast<f32>(word - (u32(exponent) << 23u)) - 1.0;
  var q = 7.0376836292e-2;
  q = q * m + -1.151461031e-1;
  q = q * m + 1.167699874e-1;
  q = q * m + -1.2420140846e-1;
  q = q * m + 1.4249322787e-1;
  q = q * m + -1.6668057665e-1;
  q = q * m + 2.0000714765e-1;
  q = q * m + -2.4999993993e-1;
  q = q * m + 3.3333331174e-1;
  return LogParts(f32(exponent) - shift, m, q * m * (m * m));
}
fn isZeroBits(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) == 0u; }
fn isLogSpecial(x: f32) -> bool { return isZeroBits(x) || bitcast<u32>(x) >= 0x7f800000u; }
fn logSpecial(x: f32) -> f32 {
  if (isZeroBits(x)) { return -inf(); }
  if (isNan(x) || bitcast<u32>(x) == 0x7f800000u) { return x; }
  return nan();
}
fn logOf(x: f32) -> f32 {
  if (isLogSpecial(x)) { return logSpecial(x); }
  let l = logParts(x);
  return ((l.tail + l.e * -2.1219444e-4) - 0.5 * (l.m * l.m) + l.m) + l.e * 0.693359375;
}
/* log x = e * unit + log(1 + m) * scale */
fn log2Of(x: f32) -> f32 {
  if (isLogSpecial(x)) { return logSpecial(x); }
  let l = logParts(x);
  let y = (l.tail - 0.5 * (l.m * l.m)) + l.m;
  return y * 1.4426950408889634 + l.e;
}
fn log10Of(x: f32) -> f32 {
  if (isLogSpecial(x)) { return logSpecial(x); }
  let l = logParts(x);
  let y = (l.tail - 0.5 * (l.m * l.m)) + l.m;
  return (y * 0.4342944819032518 + l.e * 4.6050390e-6) + l.e * 0.30102539;
}
fn log1pOf(x: f32) -> f32 {
  if (isNan(x) || abs(x) < 5.9604644775390625e-8) { return x; }
  let u = 1.0 + x;
  if (isLogSpecial(u)) { return logSpecial(u); }
  return logOf(u) + (x - (u - 1.0)) / u;
}
fn asinhOf(x: f32) -> f32 {
  if (isNan(x) || isInf(x)) { return x; }
  let a = abs(x);
  if (a > 1e9) { return withSign(logOf(a) + 0.6931471805599453, signOf(x)); }
  let square = a * a;
  return withSign(log1pOf(a + square / (1.0 + sqrt(square + 1.0))), signOf(x));
}
fn acoshOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (x < 1.0) { return nan(); }
  if (x > 1e9) { return logOf(x) + 0.6931471805599453; }
  let t = x - 1.0;
  return log1pOf(t + sqrt(t) * sqrt(t + 2.0));
}
fn atanhOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (a > 1.0) { return nan(); }
  if (a == 1.0) { return withSign(inf(), signOf(x)); }
  return withSign(0.5 * log1pOf((a + a) / (1.0 - a)), signOf(x));
}`,
};
