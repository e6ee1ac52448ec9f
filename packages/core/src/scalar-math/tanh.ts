/**
 * @file tanh in f64 from expm1.
 *
 * @source fdlibm 5.3 s_tanh.c. Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved. Permission to use, copy, modify,
 * and distribute this software is freely granted, provided that this notice is preserved.
 */
import { expm1 } from "./exp.js";

/**
 * Hyperbolic tangent.
 *
 * @shape scalar -> scalar (f64)
 * @numerics Error below 2 ulp; odd; exactly 1 from 22 on.
 * @source fdlibm 5.3 s_tanh.c.
 * @example
 * scalarMath.tanh(0); // => 0
 */
export function tanh(x: number): number {
  if (Number.isNaN(x)) return x;
  const a = Math.abs(x);
  let z: number;
  if (a >= 22) z = 1;
  else if (a < 3.725290298461914e-9) return x;
  else if (a >= 1) z = 1 - 2 / (expm1(2 * a) + 2);
  else {
    const t = expm1(-2 * a);
    z = -t / (t + 2);
  }
  return x < 0 ? -z : z;
}
