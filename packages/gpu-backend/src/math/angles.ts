/**
 * @file sin, cos, tan and their inverses, remainders and lengths of pairs.
 *
 * @source Cephes sinf, asinf, atanf (S. L. Moshier, netlib.org/cephes, single/) for the polynomials; reduction by 192 bits of 2 / pi as in M. Payne
 * and R. Hanek, "Radian reduction for trigonometric functions", SIGNUM 1983, in integers.
 */
import type { WgslLibrary } from "../launch/kernel.js";
import { bits } from "./bits.js";

export const angles: WgslLibrary = {
  name: "angles",
  requires: [bits],
  code: `
/* 2 / pi in words of 32 bits, after the point */
const twoOverPi = array<u32, 7>(0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
fn highProduct(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let low = al * bl; let m1 = ah * bl; let m2 = al * bh;
  let carry = ((low >> 16u) + (m1 & 0xffffu) + (m2 & 0xffffu)) >> 16u;
  return ah * bh + (m1 >> 16u) + (m2 >> 16u) + carry;
}
struct Reduced { r: f32, quadrant: u32 }
/* x = quadrant * pi/2 + r, |r| <= pi/4, for finite x */
fn reduced(x: f32) -> Reduced {
  let a = abs(x);
  if (a < 0.7853981) { return Reduced(x, 0u); }
  let word = bitcast<u32>(a);
  let mantissa = (word & 0x7fffffu) | 0x800000u;
  let exponent = i32(word >> 23u) - 150; /* a = mantissa * 2^exponent */
  /* the bits of 2/pi from 2^-(exponent - 1) on would only add multiples of 4 quadrants */
  let start = u32(max(exponent - 2, 0));
  let first = start / 32u; let shift = start % 32u;
  var w: array<u32, 4>;
  for (var i = 0u; i < 4u; i++) {
    var value = twoOverPi[min(first + i, 6u)] << shift;
    if (shift != 0u) { value |= twoOverPi[min(first + i + 1u, 6u)] >> (32u - shift); }
    w[i] = value;
  }
  /* product of the mantissa and w, whose bits have the places 2^-(start+1).. : keep 96 bits below the top */
  let p3 = highProduct(mantissa, w[3]);
  let l2 = mantissa * w[2]; let h2 = highProduct(mantissa, w[2]);
  let l1 = mantissa * w[1]; let h1 = highProduct(mantissa, w[1]);
  let l0 = mantissa * w[0]; let h0 = highProduct(mantissa, w[0]);
  let s2 = l2 + p3; let c2 = select(0u, 1u, s2 < l2);
  let t1 = l1 + h2; let d1 = select(0u, 1u, t1 < l1);
  let s1 = t1 + c2; let e1 = select(0u, 1u, s1 < t1);
  let t0 = l0 + h1; let d0 = select(0u, 1u, t0 < l0);
  let s0 = t0 + d1; let f0 = select(0u, 1u, s0 < t0);
  let u0 = s0 + e1; let g0 = select(0u, 1u, u0 < s0);
  let top = h0 + d0 + f0 + g0;
  /* value of (top, u0, s1, s2) is a 2/pi 2^(start - exponent + 32 - ...): top's bit 0 stands for 2^(exponent - start) */
  let places = i32(start) - exponent; /* bits of (top) below the binary point of the quadrant count */
  var hi = top; var mid = u0; var low = s1;
  var quadrant = 0u;
  if (places >= 0) {
    let n = u32(places);
    /* shift left so that the fraction begins at bit 31 of hi */
    if (n == 0u) { quadrant = hi; hi = mid; mid = low; low = s2; }
    else { /* at most 24 */
      quadrant = hi >> n;
      let k = 32u - n;
      hi = (hi << k) | (mid >> n); mid = (mid << k) | (low >> n); low = (low << k) | (s2 >> n);
    }
  } else {
    let n = u32(-places); /* 1 or 2 */
    quadrant = (hi << n) | (mid >> (32u - n));
    hi = (mid << n) | (low >> (32u - n)); mid = (low << n) | (s2 >> (32u - n)); low = s2 << n;
  }
  /* fraction in [0, 1) of a quadrant: to [-1/2, 1/2) */
  var isNegative = false;
  if (hi >= 0x80000000u) {
    quadrant += 1u; isNegative = true;
    hi = ~hi; mid = ~mid; low = ~low;
  }
  /* to floats, from the leading bit on */
  let lead = select(countLeadingZeros(hi), 32u + countLeadingZeros(mid), hi == 0u);
  if (lead >= 32u) { hi = mid; mid = low; low = 0u; }
  let rest = lead % 32u;
  if (rest != 0u) { hi = (hi << rest) | (mid >> (32u - rest)); mid = mid << rest; }
  let fraction = (f32(hi >> 8u) * 256.0 + f32(hi & 255u) + f32(mid >> 8u) * 5.9604644775390625e-8) * 2.3283064365386963e-10;
  var r = fraction * 1.5707963267948966 * bitcast<f32>((127u - lead) << 23u);
  if (isNegative) { r = -r; }
  if (x < 0.0) { return Reduced(-r, (0u - quadrant) & 3u); }
  return Reduced(r, quadrant & 3u);
}
fn sinPolynomial(r: f32) -> f32 {
  let s = r * r;
  return ((-1.9515295891e-4 * s + 8.3321608736e-3) * s + -1.6666654611e-1) * s * r + r;
}
fn cosPolynomial(r: f32) -> f32 {
  let s = r * r;
  return ((2.443315711809948e-5 * s + -1.388731625493765e-3) * s + 4.166664568298827e-2) * s * s - 0.5 * s + 1.0;
}
fn sinOfQuadrant(r: f32, quadrant: u32) -> f32 {
  let value = select(sinPolynomial(r), cosPolynomial(r), (quadrant & 1u) == 1u);
  return select(value, -value, (quadrant & 2u) == 2u);
}
fn sinOf(x: f32) -> f32 {
  if (!isFiniteValue(x)) { return nan(); }
  if (abs(x) < 0.000244140625) { return x; }
  let q = reduced(x);
  return sinOfQuadrant(q.r, q.quadrant);
}
fn cosOf(x: f32) -> f32 {
  if (!isFiniteValue(x)) { return nan(); }
  let q = reduced(x);
  return sinOfQuadrant(q.r, q.quadrant + 1u);
}
fn tanOf(x: f32) -> f32 {
  if (!isFiniteValue(x)) { return nan(); }
  if (abs(x) < 0.000244140625) { return x; }
  let q = reduced(x);
  return sinOfQuadrant(q.r, q.quadrant) / sinOfQuadrant(q.r, q.quadrant + 1u);
}
/* for 0 <= a <= 1/2: asin a */
fn smallArc(a: f32) -> f32 {
  let z = a * a;
  var q = 4.216319904e-2;
  q = q * z + 2.4181311049e-2;
  q = q * z + 4.5470025998e-2;
  q = q * z + 7.4953002686e-2;
  q = q * z + 1.6666752422e-1;
  return q * z * a + a;
}
fn asinOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (a > 1.0) { return nan(); }
  if (a <= 0.5) { return withSign(smallArc(a), signOf(x)); }
  let arc = smallArc(sqrt((1.0 - a) * 0.5));
  return withSign(1.5707963267948966 - (arc + arc), signOf(x));
}
fn acosOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (a > 1.0) { return nan(); }
  if (a <= 0.5) { return 1.5707963267948966 - withSign(smallArc(a), signOf(x)); }
  let arc = smallArc(sqrt((1.0 - a) * 0.5));
  return select(arc + arc, 3.141592653589793 - (arc + arc), x < 0.0);
}
/* atan of t in [0, 1] */
fn unitAtan(t: f32) -> f32 {
  let isLarge = t > 0.4142135623730951;
  let r = select(t, (t - 1.0) / (t + 1.0), isLarge);
  let z = r * r;
  var q = 8.05374449538e-2;
  q = q * z + -1.38776856032e-1;
  q = q * z + 1.99777106478e-1;
  q = q * z + -3.33329491539e-1;
  return q * z * r + r + select(0.0, 0.7853981633974483, isLarge);
}
fn atanOf(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (isInf(x)) { return withSign(1.5707963267948966, signOf(x)); }
  let a = abs(x);
  if (a > 1.0) { return withSign(1.5707963267948966 - unitAtan(1.0 / a), signOf(x)); }
  return withSign(unitAtan(a), signOf(x));
}
fn atan2Of(y: f32, x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (isNan(y)) { return y; }
  let a = abs(x); let b = abs(y);
  var t = 0.0;
  if (isInf(x) && isInf(y)) { t = 1.0; }
  else if (isInf(x) || isInf(y)) { t = 0.0; }
  else if (max(a, b) > 0.0) {
    /* both moved towards 1, so that the quotient neither overflows nor meets flushed numbers */
    let scale = select(1.0, 1.52587890625e-5, max(a, b) > 1e30) * select(1.0, 16777216.0, max(a, b) < 1e-30);
    t = (min(a, b) * scale) / (max(a, b) * scale);
  }
  var angle = unitAtan(t);
  let isSteep = select(b > a, isInf(y) && !isInf(x), isInf(x) || isInf(y));
  if (isSteep) { angle = 1.5707963267948966 - angle; }
  if (signOf(x) != 0u) { angle = 3.141592653589793 - angle; }
  return withSign(angle, signOf(y));
}
fn hypotOf(x: f32, y: f32) -> f32 {
  if (isInf(x) || isInf(y)) { return inf(); }
  if (isNan(x)) { return x; }
  if (isNan(y)) { return y; }
  let high = max(abs(x), abs(y)); let low = min(abs(x), abs(y));
  if (high == 0.0) { return high; }
  let scale = select(select(1.0, 1.2621774483536189e-29, high > 1e18), 1.2676506002282294e30, high < 1e-18);
  let a = high * scale; let b = low * scale;
  return sqrt(a * a + b * b) / scale;
}
/* x - trunc(x / y) * y, exactly: long division on the bits */
fn fmodOf(x: f32, y: f32) -> f32 {
  let sign = signOf(x);
  var a = bitcast<u32>(x) & 0x7fffffffu;
  let b = bitcast<u32>(y) & 0x7fffffffu;
  if (a >= 0x7f800000u || b > 0x7f800000u || b == 0u) { return nan(); }
  if (a < b) { return x; }
  var ea = i32(a >> 23u); var eb = i32(b >> 23u);
  var ma = a & 0x7fffffu; var mb = b & 0x7fffffu;
  if (ea == 0) { let lead = countLeadingZeros(ma) - 8u; ma = ma << lead; ea = 1 - i32(lead); } else { ma |= 0x800000u; }
  if (eb == 0) { let lead = countLeadingZeros(mb) - 8u; mb = mb << lead; eb = 1 - i32(lead); } else { mb |= 0x800000u; }
  for (; ea > eb; ea--) {
    if (ma >= mb) { ma -= mb; }
    ma = ma << 1u;
  }
  if (ma >= mb) { ma -= mb; }
  if (ma == 0u) { return bitcast<f32>(sign); }
  let lead = countLeadingZeros(ma) - 8u;
  ma = ma << lead; ea -= i32(lead);
  if (ea > 0) { return bitcast<f32>(sign | (u32(ea) << 23u) | (ma & 0x7fffffu)); }
  return bitcast<f32>(sign | (ma >> u32(1 - ea)));
}`,
};
