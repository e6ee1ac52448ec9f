/** @file Rotary positions: pairs of features turned by an angle that grows with the position. Legend: T sequence, D head dim. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { add, mul, sub } from "./arithmetic.js";
import { concat, split } from "./concat.js";
import { reshape } from "./reshape.js";

/**
 * Which features are a pair: "halfSplit" (i, i + D/2), as GPT-NeoX and Hugging Face's Llama; "interleaved" (2i, 2i + 1), as RoFormer and
 * Meta's Llama. The two give the same model when the rows of the q and k projections are reordered.
 */
export type RotaryConvention = "halfSplit" | "interleaved";

export interface RotaryAngles {
  /** [T, D/2] each. */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** @throws {ValueError} E_VALUE */
export function assertRotaryConvention(where: string, convention: RotaryConvention): void {
  if (convention === "halfSplit" || convention === "interleaved") return;
  throw new ValueError(
    `${where}: convention is ${JSON.stringify(convention)}; it must be "halfSplit" or "interleaved".`,
    { convention },
  );
}

/**
 * Each pair (a, b) of features at position t becomes (a cos - b sin, b cos + a sin) of the angles at t.
 *
 * @shape x [..., T, D], cos and sin [T, D/2] -> [..., T, D]
 * @throws {ShapeError} E_SHAPE; {ValueError} E_VALUE for an unknown convention.
 * @source Su et al. 2021 (RoFormer)
 */
export function rotary(x: Tensor, { cos, sin }: RotaryAngles, convention: RotaryConvention): Tensor {
  assertRotaryConvention("rotary", convention);
  const [T, D] = x.shape.slice(-2) as [number, number];
  for (const [name, angles] of Object.entries({ cos, sin })) {
    if (x.numDims >= 2 && angles.numDims === 2 && angles.shape[0] === T && 2 * angles.shape[1]! === D) continue;
    throw new ShapeError(
      `rotary: x is ${formatShape(x.shape)} and ${name} ${formatShape(angles.shape)}; they must be [...,T,D] and [T,D/2].`,
      { x: x.shape, [name]: angles.shape },
    );
  }
  const isHalved = convention === "halfSplit";
  const half = D / 2;
  const pairs = isHalved ? x : reshape(x, [...x.shape.slice(0, -1), half, 2]);
  const [a, b] = split(pairs, isHalved ? half : 1, -1) as [Tensor, Tensor];
  const [c, s] = isHalved ? [cos, sin] : [reshape(cos, [T, half, 1]), reshape(sin, [T, half, 1])];
  const turned = concat([sub(mul(a, c), mul(b, s)), add(mul(b, c), mul(a, s))], -1);
  return isHalved ? turned : reshape(turned, x.shape);
}
