/** @file Samples of the convolution ops: one to three spatial dims, every attribute, more than one tile. */
import type { Sample, SampleInput } from "./contract.js";
import type { ConvolutionAttrs } from "./convolution-geometry.js";
import { normal } from "./samples.js";

interface Case {
  readonly name: string;
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly y: readonly number[];
  readonly attrs: ConvolutionAttrs;
  readonly hasBias?: boolean;
  readonly checkVjp?: false;
}

const plain = (n: number, attrs: Partial<ConvolutionAttrs> = {}): ConvolutionAttrs => {
  const all = (value: number) => new Array<number>(n).fill(value);
  return { stride: all(1), padding: all(0), dilation: all(1), groups: 1, ...attrs };
};

const cases: readonly Case[] = [
  { name: "one dim, bias", x: [2, 3, 9], weight: [4, 3, 3], y: [2, 4, 7], attrs: plain(1), hasBias: true },
  {
    name: "one dim, padded, strided, dilated",
    x: [1, 2, 11],
    weight: [3, 2, 3],
    y: [1, 3, 5],
    attrs: plain(1, { stride: [2], padding: [1], dilation: [2] }),
  },
  {
    name: "two dims, unlike sizes, padding and bias",
    x: [2, 2, 5, 6],
    weight: [3, 2, 3, 2],
    y: [2, 3, 5, 7],
    attrs: plain(2, { padding: [1, 1] }),
    hasBias: true,
  },
  {
    name: "two dims, unlike strides and dilations",
    x: [1, 1, 7, 9],
    weight: [2, 1, 2, 3],
    y: [1, 2, 3, 4],
    attrs: plain(2, { stride: [2, 3], padding: [0, 2], dilation: [2, 1] }),
  },
  {
    name: "groups",
    x: [2, 4, 3, 4],
    weight: [6, 2, 2, 2],
    y: [2, 6, 2, 3],
    attrs: plain(2, { groups: 2 }),
    hasBias: true,
  },
  {
    name: "depthwise",
    x: [1, 3, 4, 4],
    weight: [3, 1, 3, 3],
    y: [1, 3, 4, 4],
    attrs: plain(2, { padding: [1, 1], groups: 3 }),
  },
  { name: "one tap", x: [2, 3, 2, 2], weight: [2, 3, 1, 1], y: [2, 2, 2, 2], attrs: plain(2) },
  {
    name: "padding wider than the image",
    x: [1, 1, 2, 1],
    weight: [1, 1, 3, 3],
    y: [1, 1, 6, 5],
    attrs: plain(2, { padding: [3, 3] }),
  },
  {
    name: "three dims",
    x: [1, 2, 3, 4, 3],
    weight: [2, 2, 2, 3, 2],
    y: [1, 2, 2, 4, 2],
    attrs: plain(3, { padding: [0, 1, 0] }),
  },
  {
    name: "several tiles of images",
    x: [37, 4, 12, 12],
    weight: [5, 4, 3, 3],
    y: [37, 5, 12, 12],
    attrs: plain(2, { padding: [1, 1] }),
    hasBias: true,
    checkVjp: false,
  },
  {
    name: "several tiles of rows",
    x: [2, 3, 70, 75],
    weight: [3, 3, 5, 5],
    y: [2, 3, 70, 75],
    attrs: plain(2, { padding: [2, 2] }),
    checkVjp: false,
  },
  { name: "no images", x: [0, 2, 4, 4], weight: [3, 2, 3, 3], y: [0, 3, 2, 2], attrs: plain(2), hasBias: true },
];

const rest = ({ name, checkVjp }: Case) => (checkVjp === false ? { name, checkVjp } : { name });
const withBias = ({ hasBias }: Case, length: number): SampleInput[] => (hasBias ? [normal([length])] : []);

export const convolutionSamples: readonly Sample<ConvolutionAttrs>[] = cases.map((sample) => ({
  ...rest(sample),
  inputs: [normal(sample.x), normal(sample.weight), ...withBias(sample, sample.weight[0]!)],
  attrs: sample.attrs,
}));

export const transposedSamples: readonly Sample<ConvolutionAttrs & { readonly inputSize: readonly number[] }>[] =
  cases.map((sample) => ({
    ...rest(sample),
    inputs: [normal(sample.y), normal(sample.weight), ...withBias(sample, sample.x[1]!)],
    attrs: { ...sample.attrs, inputSize: sample.x.slice(2) },
  }));

export const weightSamples: readonly Sample<ConvolutionAttrs & { readonly kernelSize: readonly number[] }>[] =
  cases.map((sample) => ({
    ...rest(sample),
    inputs: [normal(sample.x), normal(sample.y)],
    attrs: { ...sample.attrs, kernelSize: sample.weight.slice(2) },
  }));
