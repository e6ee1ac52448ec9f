/** @file layerNorm over the last dim, fused. Legend: N flattened rows, C features. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { add, div, mul, square, sub } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { sqrt } from "./math.js";
import { mean } from "./reduce.js";
import { asFlat, asRows } from "./rows.js";
import { normal } from "./samples.js";

export interface LayerNormAttrs {
  readonly eps: number;
}

/** Inputs x [..., C], weight [C], bias [C]; outputs: the result, and mean and 1/std of each row for the vjp. */
export const layerNormOp = defineStructural<LayerNormAttrs>({
  name: "layerNorm",
  numVisible: 1,
  shapeRule: ([x, weight, bias]) => {
    checkLayerNorm(x!, weight!, bias!);
    const rows = x!.shape.slice(0, -1);
    const statistics: TensorSpec = { shape: rows, dtype: "f32", fidelity: "exact" };
    return [x!, statistics, statistics];
  },
  reference: ([x, weight, bias], { eps }) => layerNormReference({ x: x!, weight: weight!, bias: bias! }, eps),
  run: (backend, [x, weight, bias], [out, mean, rstd], { eps }) =>
    backend.kernels.layerNorm(asRows(x!), weight!, bias!, eps, {
      out: asRows(out!),
      mean: asFlat(mean!),
      rstd: asFlat(rstd!),
    }),
  vjp: {
    saves: { inputs: [0, 1], outputs: [1, 2] },
    pull: ({ inputs: [x, weight], outputs: [, mean, rstd] }, dOut) => {
      const dy = asContiguous(dOut);
      return runBackwardKernel(
        "layerNormBackward",
        { inputs: [dy, x!, weight!], outputs: [x!, weight!, weight!] },
        (backend, [dx, dWeight, dBias]) => {
          const inputs = { dOut: asRows(dy), x: asRows(x!), weight: weight!, mean: asFlat(mean!), rstd: asFlat(rstd!) };
          backend.kernels.layerNormBackward(inputs, asRows(dx!), dWeight!, dBias!);
        },
      );
    },
  },
  reductionLength: ([shape]) => shape![shape!.length - 1]!,
  composite: ([x, weight, bias], { eps }) => {
    const centred = sub(x!, mean(x!, -1, { keepDims: true }));
    const rstd = div(1, sqrt(add(mean(square(centred), -1, { keepDims: true }), eps)));
    return [add(mul(mul(centred, rstd), weight!), bias!)];
  },
  samples: [
    { name: "odd width", inputs: [normal([5, 7]), normal([7], 1, 0.2), normal([7])], attrs: { eps: 1e-5 } },
    { name: "three dims", inputs: [normal([2, 3, 33]), normal([33], 1, 0.2), normal([33])], attrs: { eps: 1e-5 } },
    { name: "many rows", inputs: [normal([70, 9]), normal([9], 1, 0.2), normal([9])], attrs: { eps: 1e-5 } },
    {
      name: "mean far from zero",
      inputs: [normal([3, 65], 100, 1), normal([65], 1, 0.2), normal([65])],
      attrs: { eps: 1e-5 },
    },
    {
      name: "wider than a tile",
      inputs: [normal([3, 770]), normal([770]), normal([770])],
      attrs: { eps: 1e-5 },
      checkVjp: false,
    },
  ],
});

function checkLayerNorm(x: TensorSpec, weight: TensorSpec, bias: TensorSpec): void {
  const width = x.shape[x.shape.length - 1];
  for (const [name, spec] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (spec.shape.length !== 1 || spec.shape[0] !== width) {
      throw new ShapeError(
        `layerNorm: ${name} has shape ${formatShape(spec.shape)}, but x is ${formatShape(x.shape)}; ${name} must have shape [${width}], the last dim of x.`,
        { x: x.shape, [name]: spec.shape },
      );
    }
    if (spec.dtype !== "f32" || x.dtype !== "f32") {
      throw new DTypeError(`layerNorm: x is ${x.dtype} and ${name} is ${spec.dtype}; both must be f32.`, {
        x: x.dtype,
      });
    }
  }
}

interface LayerNormReferenceInputs {
  readonly x: ReferenceArray;
  readonly weight: ReferenceArray;
  readonly bias: ReferenceArray;
}

function layerNormReference({ x, weight, bias }: LayerNormReferenceInputs, eps: number): readonly ReferenceArray[] {
  const width = weight.values.length;
  const out = new Float64Array(x.values.length);
  const means: number[] = [];
  const rstds: number[] = [];
  for (let start = 0; start < out.length; start += width) {
    const row = x.values.subarray(start, start + width);
    const mean = row.reduce((a, b) => a + b, 0) / width;
    const variance = row.reduce((total, value) => total + (value - mean) * (value - mean), 0) / width;
    const rstd = 1 / Math.sqrt(variance + eps);
    row.forEach((value, i) => {
      out[start + i] = (value - mean) * rstd * weight.values[i]! + bias.values[i]!;
    });
    means.push(mean);
    rstds.push(rstd);
  }
  const rows = x.shape.slice(0, -1);
  return [
    { shape: x.shape, values: out },
    { shape: rows, values: Float64Array.from(means) },
    { shape: rows, values: Float64Array.from(rstds) },
  ];
}

/**
 * (x - mean) / sqrt(variance + eps) * weight + bias over the last dim; the variance divides by C.
 * @shape x [..., C], weight [C], bias [C] -> [..., C]
 * @numerics Two passes: the mean first, then the squares of differences.
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.functional.layer_norm over one dim
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, options: { readonly eps?: number } = {}): Tensor {
  return layerNormOp.apply([x, weight, bias], { eps: options.eps ?? 1e-5 })[0]!;
}
