/**
 * @file All alignments of a row's target with its frames, in logarithms: one workgroup a row, its invocations the states, a frame after the other.
 *
 * A target of L labels has 2 L + 1 states: its labels, and blanks before, between and behind them. A path stays in a state, goes to the next, or
 * skips a blank between unlike labels. The logarithms of a frame are kept near zero: a whole number, the largest of them rounded, is taken off
 * each; whole numbers add up exactly, so that f32 loses nothing over many frames. What no path reaches is -1e30.
 * Legend: T frames, B batch, C classes, L labels, S states.
 */
import { defineKernel } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import { exponential, logarithm } from "../math/exponentials.js";

const params = { batch: "u32", frames: "u32", classes: "u32", labels: "u32", states: "u32", blank: "i32" } as const;

const operands = {
  logProbs: "read f32",
  targets: "read i32",
  inputLengths: "read i32",
  targetLengths: "read i32",
} as const;

/** Shared by both kernels. `alphas` has a row of p.states for each of `alphaRows` frames of each b. */
const declarationsOf = (lanes: number): string => `
const LANES = ${lanes}u;
const impossible = -1e30;
var<workgroup> tree: array<f32, ${lanes}>;
var<workgroup> sizes: vec2u;
fn largestOf(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half = half / 2u) {
    if (lane < half) { tree[lane] = larger(tree[lane], tree[lane + half]); }
    workgroupBarrier();
  }
  return tree[0];
}
fn sumOf(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half = half / 2u) {
    if (lane < half) { tree[lane] = tree[lane] + tree[lane + half]; }
    workgroupBarrier();
  }
  return tree[0];
}
fn logSum(a: f32, b: f32, c: f32) -> f32 {
  let largest = larger(larger(a, b), c);
  if (isNan(largest) || largest < -1e29) { return largest; }
  return largest + logOf(expOf(a - largest) + expOf(b - largest) + expOf(c - largest));
}
/* a logarithm without infinities below */
fn bounded(x: f32) -> f32 {
  if (isNan(x)) { return x; }
  if (isInf(x) && signOf(x) != 0u) { return impossible; }
  return max(x, impossible);
}
fn classOf(b: u32, s: u32) -> i32 {
  if (s % 2u == 0u) { return p.blank; }
  return targets_at(b * p.labels + s / 2u);
}
fn canSkip(b: u32, s: u32) -> bool { return s > 1u && classOf(b, s) != classOf(b, s - 2u); }
fn probOf(b: u32, t: u32, s: u32) -> f32 { return bounded(logProbs_at((t * p.batch + b) * p.classes + u32(classOf(b, s)))); }
fn alphaRow(b: u32, t: u32, numRows: u32) -> u32 { return (b * numRows + t % numRows) * p.states; }
/* frame t of alphas; answers the whole number taken off */
fn stepForwards(b: u32, t: u32, numStates: u32, numRows: u32, lane: u32) -> f32 {
  let row = alphaRow(b, t, numRows);
  let before = alphaRow(b, t + numRows - 1u, numRows);
  var most = impossible;
  for (var s = lane; s < numStates; s += LANES) {
    var arriving = select(impossible, 0.0, s < 2u);
    if (t > 0u) {
      var next = impossible;
      var skip = impossible;
      if (s > 0u) { next = alphas_at(before + s - 1u); }
      if (canSkip(b, s)) { skip = alphas_at(before + s - 2u); }
      arriving = logSum(alphas_at(before + s), next, skip);
    }
    let value = bounded(arriving + probOf(b, t, s));
    alphas_put(row + s, value);
    most = larger(most, value);
  }
  most = largestOf(most, lane);
  let whole = select(round(most), 0.0, most < -1e29);
  for (var s = lane; s < numStates; s += LANES) { alphas_put(row + s, bounded(alphas_at(row + s) - whole)); }
  storageBarrier();
  workgroupBarrier();
  return whole;
}`;

/** Sizes of this row; read once, so that all invocations know that they agree. */
const sizesText = `
  if (group >= p.batch) { return; }
  let b = group;
  if (lane == 0u) { sizes = vec2u(u32(inputLengths_at(b)), 2u * u32(targetLengths_at(b)) + 1u); }
  let found = workgroupUniformLoad(&sizes);
  let numFrames = found.x;
  let numStates = found.y;`;

function forward(lanes: number) {
  return defineKernel({
    name: `ctc${lanes}`,
    operands: { ...operands, alphas: "write f32", loss: "write f32" },
    params,
    workgroup: [lanes, 1, 1],
    uses: [bits, exponential, logarithm],
    declarations: declarationsOf(lanes),
    body: `${sizesText}
  var off = 0.0;
  for (var t = 0u; t < numFrames; t++) { off += stepForwards(b, t, numStates, 2u, lane); }
  if (lane > 0u) { return; }
  var logTotal = select(impossible, 0.0, numStates == 1u);
  if (numFrames > 0u) {
    let last = alphaRow(b, numFrames - 1u, 2u) + numStates - 1u;
    var second = impossible;
    if (numStates > 1u) { second = alphas_at(last - 1u); }
    logTotal = logSum(alphas_at(last), second, impossible);
  }
  if (logTotal < -1e29 && !isNan(logTotal)) { loss_put(b, inf()); } else { loss_put(b, 0.0 - (off + logTotal)); }`,
  });
}

/**
 * dLogProbs must hold zeros. `chain` [B, S]: twice the next state of the same class (0: none), and 1 more for the first of its class.
 * The shares of a frame's states add up to 1, so what was taken off need not be known.
 */
function backward(lanes: number) {
  return defineKernel({
    name: `ctcBackward${lanes}`,
    operands: {
      ...operands,
      dLoss: "read f32",
      temporary: "write f32",
      chain: "write i32",
      dLogProbs: "write f32",
    },
    params: { ...params, betasStart: "u32", sharesStart: "u32" },
    workgroup: [lanes, 1, 1],
    uses: [bits, exponential, logarithm],
    declarations: `${declarationsOf(lanes).replaceAll("alphas_", "temporary_")}
fn betaRow(b: u32, t: u32) -> u32 { return p.betasStart + (b * 2u + t % 2u) * p.states; }
/* frame t of betas from frame t + 1 */
fn betaOf(b: u32, t: u32, s: u32, numStates: u32, numFrames: u32) -> f32 {
  if (t + 1u == numFrames) { return select(impossible, 0.0, s + 2u >= numStates); }
  let after = betaRow(b, t + 1u);
  let stay = temporary_at(after + s) + probOf(b, t + 1u, s);
  var next = impossible;
  var skip = impossible;
  if (s + 1u < numStates) { next = temporary_at(after + s + 1u) + probOf(b, t + 1u, s + 1u); }
  if (s + 2u < numStates && canSkip(b, s + 2u)) { skip = temporary_at(after + s + 2u) + probOf(b, t + 1u, s + 2u); }
  return bounded(logSum(bounded(stay), bounded(next), bounded(skip)));
}`,
    body: `${sizesText}
  let shares = p.sharesStart + b * p.states;
  let links = b * p.states;
  for (var t = 0u; t < numFrames; t++) { _ = stepForwards(b, t, numStates, p.frames, lane); }
  for (var s = lane; s < numStates; s += LANES) {
    let own = classOf(b, s);
    var link = 0u;
    for (var after = s + 1u; after < numStates && link == 0u; after++) { if (classOf(b, after) == own) { link = after; } }
    var isFirst = true;
    for (var earlier = 0u; earlier < s && isFirst; earlier++) { isFirst = classOf(b, earlier) != own; }
    chain_put(links + s, i32(link * 2u) + select(0, 1, isFirst));
  }
  storageBarrier();
  workgroupBarrier();
  let factor = dLoss_at(b);
  for (var left = numFrames; left > 0u; left--) {
    let t = left - 1u;
    let alphas = alphaRow(b, t, p.frames);
    let betas = betaRow(b, t);
    var most = impossible;
    for (var s = lane; s < numStates; s += LANES) {
      let beta = betaOf(b, t, s, numStates, numFrames);
      temporary_put(betas + s, beta);
      most = larger(most, temporary_at(alphas + s) + beta);
    }
    most = largestOf(most, lane);
    let isPossible = isNan(most) || most > -1e29;
    let whole = select(0.0, round(most), isPossible);
    var total = 0.0;
    for (var s = lane; s < numStates; s += LANES) {
      let beta = temporary_at(betas + s);
      let share = expOf(temporary_at(alphas + s) + beta - most);
      temporary_put(shares + s, share);
      total += share;
      temporary_put(betas + s, bounded(beta - whole));
    }
    storageBarrier();
    total = sumOf(total, lane);
    if (isPossible && factor != 0.0) {
      for (var s = lane; s < numStates; s += LANES) {
        var link = chain_at(links + s);
        if ((link & 1) == 1) {
          var sum = temporary_at(shares + s);
          for (var next = u32(link) / 2u; next != 0u; next = u32(chain_at(links + next)) / 2u) { sum += temporary_at(shares + next); }
          dLogProbs_put((t * p.batch + b) * p.classes + u32(classOf(b, s)), -factor * (sum / total));
        }
      }
    }
    storageBarrier();
    workgroupBarrier();
  }`,
  });
}

/** Invocations of a row: by the states of the longest target alone. */
const variants = [64, 256].map((lanes) => ({ lanes, forward: forward(lanes), backward: backward(lanes) }));

export function ctcFor(numStates: number) {
  return variants.find(({ lanes }) => numStates <= 2 * lanes) ?? variants[variants.length - 1]!;
}
