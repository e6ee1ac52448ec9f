import { type Tensor, tensor } from "@lockstep/core";

/**
 * The digit that has most pixels in each mask, the smaller of two with as many.
 *
 * @shape masks [B, S, S] (i32, 0 background, else 1 + digit; each with a digit) -> digits [B] (i32), shares [B, 1, S, S]: what each of its
 *   pixels is of all of them, 0 elsewhere
 */
export function largestDigits(masks: Tensor): { readonly digits: Tensor; readonly shares: Tensor } {
  const [B, S] = masks.shape as [number, number];
  const classes = masks.dataSync();
  const shares = new Float32Array(classes.length);
  const digits = new Int32Array(B);
  for (let b = 0; b < B; b++) {
    const own = classes.subarray(b * S * S, (b + 1) * S * S);
    const counts = new Int32Array(10);
    for (const value of own) if (value > 0) counts[value - 1]!++;
    const most = Math.max(...counts);
    digits[b] = counts.indexOf(most);
    for (const [i, value] of own.entries()) if (value === digits[b]! + 1) shares[b * S * S + i] = 1 / most;
  }
  return { digits: tensor(digits), shares: tensor(shares, { shape: [B, 1, S, S] }) };
}
