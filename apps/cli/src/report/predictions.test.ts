import { decodePng } from "@lockstep/data";
import type { ExplainedSample, RunExplanation } from "@lockstep/worker";
import { describe, expect, test } from "vitest";
import { attributionPicture, imagePicture, signedColour } from "./heat.js";
import { predictions } from "./predictions.js";
import { samples } from "./samples.js";

const values = (shape: number[], ...numbers: number[]) => ({ shape, values: Float32Array.from(numbers) });
const pixelsOf = (address: string) => {
  const { data, ...size } = decodePng(Buffer.from(address.slice(address.indexOf(",") + 1), "base64"));
  return { ...size, data: [...data] };
};

describe("pictures", () => {
  test("are PNGs of grey values from the darkest to the brightest", () => {
    const { width, height, data } = pixelsOf(imagePicture(values([1, 2, 3], 0, 1, 2, 3, 4, 5)));
    expect([width, height]).toEqual([3, 2]);
    expect(data.map((value) => Math.round(value > 1 ? value : 255 * value))).toEqual(
      [0, 51, 102, 153, 204, 255].flatMap((grey) => [grey, grey, grey]),
    );
  });
  test("of attributions are red for, blue against, and white for nothing", () => {
    expect(signedColour(0)).toEqual([247, 247, 247]);
    expect(signedColour(1)).toEqual([178, 24, 43]);
    expect(signedColour(-1)).toEqual([33, 102, 172]);
    const { data } = pixelsOf(attributionPicture(values([1, 3], 0, -2, 2)));
    expect(data.map((value) => Math.round(value > 1 ? value : 255 * value))).toEqual([
      247, 247, 247, 33, 102, 172, 178, 24, 43,
    ]);
  });
});

const shown = (part: Partial<RunExplanation>): RunExplanation => ({
  kind: "columns",
  isClassifier: false,
  classNames: undefined,
  targets: [],
  predictions: [],
  samples: [],
  ...part,
});

test("values stand beside their targets, with their errors", () => {
  const found = [1, 2, 5].map((value) => ({ value, probabilities: undefined }));
  const text = predictions(shown({ targets: [1, 2, 3], predictions: found })).text;
  expect(text).toContain("<th>mean absolute error</th><td>0.6667</td>");
  expect(text).toContain("<th>root mean squared error</th><td>1.155</td>");
  expect(text).toContain("<th>R2</th><td>-1</td>");
  expect(text).toContain("<title>target 3, predicted 5</title>");
  expect(text.match(/<circle/g)).toHaveLength(3);
});

test("classes are counted by truth and prediction, under their names", () => {
  const found = [0, 1, 1, 1].map((value) => ({ value, probabilities: Float32Array.of(0.5, 0.5) }));
  const text = predictions(
    shown({ isClassifier: true, classNames: ["a<b", "c"], targets: [0, 0, 1, 1], predictions: found }),
  ).text;
  expect(text).toContain("3 of 4 right.");
  expect(text).toContain('title="a&lt;b taken for c: 1 of 2">1</td>');
  expect(text).toContain("Most often mixed up: a&lt;b taken for c (1).");
});

test("columns are bars about a middle, the weightiest first", () => {
  const sample: ExplainedSample = {
    index: 7,
    target: 2.5,
    prediction: { value: 2, probabilities: undefined },
    inputs: values([2], 10, 20),
    gradientTimesInput: values([2], 0.5, -4),
    integratedGradients: values([2], 1, -2),
    completeness: { expected: -1, found: -1 },
    pieces: ["width", "height"],
    attention: undefined,
  };
  const text = samples(shown({ samples: [sample] })).text;
  expect(text.indexOf("<th>height</th>")).toBeLessThan(text.indexOf("<th>width</th>"));
  expect(text).toContain('<td class="bar" title="-2"><i class="against" style="left:25%;width:25%"></i></td>');
  expect(text).toContain('<td class="bar" title="1"><i class="for" style="left:50%;width:13%"></i></td>');
  expect(text).toContain("target 2.5, sample 7");
});
