/**
 * @file Small kernels whose words are known: what a device must get right before anything is trained on it. One entry a thing that can be wrong;
 * a check of an optional feature names it.
 *
 * Every expected word is exact: integers, and floats whose operations round nothing.
 */
import { defineKernel } from "../launch/kernel.js";
import { bits } from "../math/bits.js";
import type { WordLaunch } from "./ask-words.js";
import type { OptionalFeature } from "./open-device.js";

export interface DeviceCheck {
  /** What it proves, in words. */
  readonly name: string;
  /** The feature that is switched off when the check fails. Without one a failure is an error. */
  readonly feature?: OptionalFeature;
  /** Recorded one after another, on words that are 0 before. */
  readonly launches: readonly WordLaunch[];
  readonly expected: readonly number[];
}

const indices = (length: number): number[] => Array.from({ length }, (_, i) => i);

const arithmetic = defineKernel({
  name: "checkArithmetic",
  operands: { out: "write i32" },
  params: { half: "f32" },
  workgroup: [64, 1, 1],
  uses: [bits],
  body: `
  let signed = i32(item) - 32;
  out_put(item * 4u, bitcast<i32>(item * 2654435761u));
  out_put(item * 4u + 1u, (signed / 3) * 7 + signed % 5);
  out_put(item * 4u + 2u, bitcast<i32>(f32(signed) * p.half - 3.25));
  var flags = 0;
  if (isNan(nan())) { flags += 1; }
  if (isInf(inf()) && !isNan(inf())) { flags += 2; }
  if (less(-inf(), f32(signed))) { flags += 4; }
  if (i32(floor(sqrt(f32(item * item)) + p.half)) == i32(item)) { flags += 8; }
  out_put(item * 4u + 3u, flags);`,
});

const workgroupMemory = defineKernel({
  name: "checkWorkgroupMemory",
  operands: { out: "write i32" },
  params: {},
  declarations: "var<workgroup> words: array<i32, 256>;\nvar<workgroup> sums: array<i32, 256>;",
  body: `
  words[lane] = i32(lane) * 3 + i32(group);
  sums[lane] = i32(lane);
  workgroupBarrier();
  for (var half = 128u; half > 0u; half = half / 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  out_put(item, words[(lane * 37u + 11u) % 256u] + sums[0]);`,
});

/** Word `place` continues from the word before it, which the launch before it wrote. */
const parameters = defineKernel({
  name: "checkParameters",
  operands: { out: "write i32" },
  params: { place: "u32", value: "i32" },
  workgroup: [1, 1, 1],
  body: "  out_put(p.place, out_at(max(p.place, 1u) - 1u) * 3 + p.value);",
});
const numParameterLaunches = 9;

const bigGrid = defineKernel({
  name: "checkBigGrid",
  operands: { out: "write i32" },
  params: { first: "u32", count: "u32" },
  workgroup: [1, 1, 1],
  body: "  if (item >= p.first && item < p.count) { out_put(item - p.first, i32(item)); }",
});
/** More groups than one dimension must allow. */
const numGroups = 65_535 + 9;

/** Words of f32 values. */
function floatWord(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0]!;
}

export const deviceChecks: readonly DeviceCheck[] = [
  {
    name: "arithmetic",
    launches: [{ kernel: arithmetic, params: { half: 0.5 }, options: { groups: 1 } }],
    expected: indices(64).flatMap((i) => [
      Math.imul(i, 2_654_435_761),
      Math.trunc((i - 32) / 3) * 7 + ((i - 32) % 5),
      floatWord((i - 32) * 0.5 - 3.25),
      15,
    ]),
  },
  {
    name: "workgroup memory and barriers",
    launches: [{ kernel: workgroupMemory, params: {}, options: { groups: 4 } }],
    expected: indices(4 * 256).map((i) => ((i * 37 + 11) % 256) * 3 + Math.floor(i / 256) + (255 * 256) / 2),
  },
  {
    name: "parameters and order of launches",
    launches: indices(numParameterLaunches).map((place) => {
      return { kernel: parameters, params: { place, value: place + 5 }, options: { groups: 1 } };
    }),
    expected: indices(numParameterLaunches).map((place) => {
      let word = 0;
      for (let i = 0; i <= place; i++) word = word * 3 + i + 5;
      return word;
    }),
  },
  {
    name: `grids of ${numGroups} groups`,
    launches: [
      { kernel: bigGrid, params: { first: numGroups - 16, count: numGroups }, options: { groups: numGroups } },
    ],
    expected: indices(16).map((i) => numGroups - 16 + i),
  },
];
