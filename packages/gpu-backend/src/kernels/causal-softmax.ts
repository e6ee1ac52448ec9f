/** @file Softmax of the lower triangle of square matrices, row by row and in place, and its gradient. Zeros above the diagonal. */
import { defineKernel } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import { exponential } from "../math/exponentials.js";

/** Invocations of a workgroup: so many that a row of `lanes` invocations fits once or several times. */
const workgroupSize = 256;

/** A fixed tree over the lanes of a row. All rows of a workgroup go through it together. */
function treeText(lanes: number): string {
  return `
var<workgroup> tree: array<f32, ${workgroupSize}>;
fn combined(first: f32, second: f32, isSum: bool) -> f32 {
  if (isSum) { return first + second; }
  return larger(first, second);
}
fn overRow(value: f32, lane: u32, isSum: bool) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half = half / 2u) {
    if (lane % ${lanes}u < half) { tree[lane] = combined(tree[lane], tree[lane + half], isSum); }
    workgroupBarrier();
  }
  return tree[lane - lane % ${lanes}u];
}`;
}

/** Row `row` of all matrices, at its place `t` in one; it sees columns 0..t. A row past the last sees none and writes none. */
const placeText = (lanes: number): string => `
  let row = group * ${workgroupSize / lanes}u + lane / ${lanes}u;
  let first = lane % ${lanes}u;
  let t = row % p.tokens;
  let isRow = row < p.rows;
  let numSeen = select(0u, t + 1u, isRow);
  let numWritten = select(0u, p.tokens, isRow);
  let start = row * p.tokens;`;

function forward(lanes: number) {
  return defineKernel({
    name: `causalSoftmax${lanes}`,
    operands: { scores: "write f32" },
    params: { rows: "u32", tokens: "u32", scale: "f32" },
    uses: [bits, exponential],
    declarations: treeText(lanes),
    body: `${placeText(lanes)}
  var largest = -3.4028234663852886e38;
  for (var s = first; s < numSeen; s += ${lanes}u) { largest = larger(largest, scores_at(start + s) * p.scale); }
  largest = overRow(largest, lane, false);
  var total = 0.0;
  for (var s = first; s < numSeen; s += ${lanes}u) {
    let weight = expOf(scores_at(start + s) * p.scale - largest);
    scores_put(start + s, weight);
    total += weight;
  }
  let inverse = 1.0 / overRow(total, lane, true);
  for (var s = first; s < numWritten; s += ${lanes}u) {
    if (s < numSeen) { scores_put(start + s, scores_at(start + s) * inverse); } else { scores_put(start + s, 0.0); }
  }`,
  });
}

function backward(lanes: number) {
  return defineKernel({
    name: `causalSoftmaxBackward${lanes}`,
    operands: { probs: "read f32", gradient: "write f32" },
    params: { rows: "u32", tokens: "u32", scale: "f32" },
    uses: [bits],
    declarations: treeText(lanes),
    body: `${placeText(lanes)}
  var total = 0.0;
  for (var s = first; s < numSeen; s += ${lanes}u) { total += gradient_at(start + s) * probs_at(start + s); }
  let mean = overRow(total, lane, true);
  for (var s = first; s < numWritten; s += ${lanes}u) {
    if (s < numSeen) { gradient_put(start + s, probs_at(start + s) * (gradient_at(start + s) - mean) * p.scale); }
    else { gradient_put(start + s, 0.0); }
  }`,
  });
}

/** Lanes of a row and what belongs to them: by the length of the rows alone. */
const variants = [8, 32, 256].map((lanes) => {
  return { lanes, rowsPerGroup: workgroupSize / lanes, forward: forward(lanes), backward: backward(lanes) };
});

export function causalSoftmaxFor(tokens: number) {
  return variants.find(({ lanes }) => tokens <= 4 * lanes) ?? variants[variants.length - 1]!;
}
