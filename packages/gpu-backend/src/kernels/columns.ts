/**
 * @file im2col and col2im: one invocation an element of the columns, or of the image.
 *
 * Order of additions of col2im: an element takes output rows in ascending order, within a row ascending kw, as core's CPU kernel does.
 * Legend: C channels; d, h, w the three spatial dims.
 */
import type { TensorView } from "@lockstep/core";
import type { ColumnsTile, KernelTable, WindowGeometry } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";

const axes = ["D", "H", "W"] as const;
const perAxis = ["in", "k", "stride", "pad", "dilation", "out"] as const;
type Geometry = Readonly<Record<`${(typeof perAxis)[number]}${(typeof axes)[number]}`, "i32">>;

const geometryParams = Object.fromEntries(
  perAxis.flatMap((name) => axes.map((axis) => [`${name}${axis}`, "i32"])),
) as unknown as Geometry;

const params = {
  ...geometryParams,
  count: "u32",
  line: "u32",
  channels: "i32",
  firstImage: "i32",
  numImages: "i32",
  firstRow: "i32",
  numRows: "i32",
} as const;

const im2col = defineKernel({
  name: "im2col",
  operands: { image: "read f32", columns: "write f32" },
  params,
  body: `
  if (item >= p.count) { return; }
  let positions = p.numImages * p.numRows * p.outW;
  let n = i32(item) % positions;
  let tap = i32(item) / positions;
  let kw = tap % p.kW;
  let kh = (tap / p.kW) % p.kH;
  let kd = (tap / (p.kW * p.kH)) % p.kD;
  let channel = tap / (p.kW * p.kH * p.kD);
  let row = p.firstRow + (n / p.outW) % p.numRows;
  let id = (row / p.outH) * p.strideD + kd * p.dilationD - p.padD;
  let ih = (row % p.outH) * p.strideH + kh * p.dilationH - p.padH;
  let iw = (n % p.outW) * p.strideW + kw * p.dilationW - p.padW;
  var value = 0.0;
  if (id >= 0 && id < p.inD && ih >= 0 && ih < p.inH && iw >= 0 && iw < p.inW) {
    let plane = (p.firstImage + n / (p.outW * p.numRows)) * p.channels + channel;
    value = image_at(u32(((plane * p.inD + id) * p.inH + ih) * p.inW + iw));
  }
  columns_put(u32(tap) * p.line + u32(n), value);`,
});

const col2im = defineKernel({
  name: "col2im",
  operands: { columns: "read f32", image: "write f32" },
  params,
  declarations: `
/* first output position whose window reaches input position at */
fn firstOutput(at: i32, k: i32, stride: i32, dilation: i32) -> i32 {
  return max(0, (at - (k - 1) * dilation + stride - 1) / stride);
}`,
  body: `
  if (item >= p.count) { return; }
  var rest = i32(item);
  let iw = rest % p.inW; rest = rest / p.inW;
  let ih = rest % p.inH; rest = rest / p.inH;
  let id = rest % p.inD; rest = rest / p.inD;
  let channel = rest % p.channels;
  let imageOfTile = rest / p.channels;
  let place = u32((((p.firstImage + imageOfTile) * p.channels + channel) * p.inD + id) * p.inH * p.inW + ih * p.inW + iw);
  var sum = image_at(place);
  let atD = id + p.padD; let atH = ih + p.padH; let atW = iw + p.padW;
  let lastD = min(p.outD - 1, atD / p.strideD);
  let lastH = min(p.outH - 1, atH / p.strideH);
  for (var od = firstOutput(atD, p.kD, p.strideD, p.dilationD); od <= lastD; od++) {
    let tapD = atD - od * p.strideD;
    if (tapD % p.dilationD != 0) { continue; }
    for (var oh = firstOutput(atH, p.kH, p.strideH, p.dilationH); oh <= lastH; oh++) {
      let tapH = atH - oh * p.strideH;
      let row = od * p.outH + oh - p.firstRow;
      if (tapH % p.dilationH != 0 || row < 0 || row >= p.numRows) { continue; }
      let line = ((channel * p.kD + tapD / p.dilationD) * p.kH + tapH / p.dilationH) * p.kW;
      let start = (imageOfTile * p.numRows + row) * p.outW;
      for (var kw = 0; kw < p.kW; kw++) {
        let tapW = atW - kw * p.dilationW;
        if (tapW < 0 || tapW % p.strideW != 0 || tapW / p.strideW >= p.outW) { continue; }
        sum += columns_at(u32(line + kw) * p.line + u32(start + tapW / p.strideW));
      }
    }
  }
  image_put(place, sum);`,
});

function paramsOf(image: TensorView, columns: TensorView, geometry: WindowGeometry, tile: ColumnsTile) {
  const { input, kernel, stride, padding, dilation, output } = geometry;
  const [inD, inH, inW] = input;
  const [kD, kH, kW] = kernel;
  const [strideD, strideH, strideW] = stride;
  const [padD, padH, padW] = padding;
  const [dilationD, dilationH, dilationW] = dilation;
  const [outD, outH, outW] = output;
  const sizes = { inD, inH, inW, kD, kH, kW, strideD, strideH, strideW, padD, padH, padW };
  const rest = {
    dilationD,
    dilationH,
    dilationW,
    outD,
    outH,
    outW,
    channels: image.shape[1]!,
    line: columns.strides[0]!,
  };
  return { ...sizes, ...rest, ...tile };
}

export function columnsRows(host: KernelHost): Pick<KernelTable, "im2col" | "col2im"> {
  return {
    im2col(image, geometry, tile, columns): void {
      const values = paramsOf(image, columns, geometry, tile);
      const taps = values.channels * values.kD * values.kH * values.kW;
      const count = taps * tile.numImages * tile.numRows * values.outW;
      host.launch(im2col, { image, columns }, { ...values, count }, { groups: groupsOf(count) });
    },
    col2im(columns, geometry, tile, image): void {
      const values = paramsOf(image, columns, geometry, tile);
      const count = tile.numImages * values.channels * values.inD * values.inH * values.inW;
      host.launch(col2im, { columns, image }, { ...values, count }, { groups: groupsOf(count) });
    },
  };
}
