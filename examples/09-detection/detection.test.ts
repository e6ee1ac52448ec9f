import { metrics, tensor } from "@lockstep/core";
import type { SceneObject } from "@lockstep-examples/digits-data/scenes";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { CentreNet, centreLoss } from "./centre-net.js";
import { type CentreTargets, decodeCentres, encodeCentres } from "./centres.js";

afterAll(cleanUp);

const side = 16; // 4 x 4 cells
const three: SceneObject = { box: [1, 2, 7, 10], label: 3 }; // middle (4, 6): column 1, row 1.5
const eight: SceneObject = { box: [9, 7, 14, 16], label: 8 }; // middle (11.5, 11.5): column 2.875, row 2.875
const plane = (values: Float32Array, channel: number) => [...values.subarray(16 * channel, 16 * channel + 16)];
const at = (place: number, value: number) => Object.assign(Array(16).fill(0), { [place]: value });

describe("targets", () => {
  const targets = encodeCentres([three, eight], side);

  test("say in which cells middles are, where in them, and how large the boxes are in cells", () => {
    const [first, second] = [4 * 1 + 1, 4 * 2 + 2];
    expect([...targets.isCentre]).toEqual(at(first, 1).map((one, i) => (i === second ? 1 : one)));
    const numbersAt = (place: number) => [0, 1, 2, 3].map((i) => plane(targets.boxes, i)[place]);
    expect(numbersAt(first)).toEqual([0, 0.5, 1.5, 2]);
    expect(numbersAt(second)).toEqual([0.875, 0.875, 1.25, 2.25]);
    expect(targets.boxes.filter((value) => value !== 0)).toHaveLength(7); // one of the eight is 0
  });

  test("have a bell around a middle in the map of its digit alone", () => {
    expect(plane(targets.heat, 3)[5]).toBe(1);
    expect(plane(targets.heat, 3)[9]).toBe(Math.fround(Math.exp(-2))); // a cell is two standard deviations of a box two cells high
    expect(plane(targets.heat, 8)[10]).toBe(1);
    expect(plane(targets.heat, 0)).toEqual(Array(16).fill(0));
    expect(targets.heat.filter((value) => value === 1)).toHaveLength(2);
  });

  test("of two equal digits that are neighbours take the hotter bell", () => {
    const { heat } = encodeCentres([three, { box: [5, 2, 11, 10], label: 3 }], side); // middle (8, 6): column 2
    expect(plane(heat, 3).slice(4, 8)).toEqual([
      expect.closeTo(Math.exp(-32 / 9)),
      1,
      1,
      expect.closeTo(Math.exp(-32 / 9)),
    ]);
  });
});

describe("decoding", () => {
  const scene = [three, eight];
  const wanted = { boxes: scene.map(({ box }) => [...box]), labels: [3, 8] };

  test("of the targets gives the boxes back, mean average precision 1", () => {
    const found = decodeCentres(encodeCentres(scene, side));
    expect(found).toEqual({ ...wanted, scores: [1, 1] });
    expect(metrics.meanAveragePrecision([wanted], [found])).toBe(1);
  });

  test("takes a cell that is as hot as its neighbours of the same digit, and leaves the cold ones", () => {
    const heat = new Float32Array(10 * 16);
    heat[16 * 2 + 5] = 0.5;
    heat[16 * 2 + 10] = 0.4; // beside it, corner to corner
    heat[16 * 2 + 3] = 0.25;
    heat[16 * 6 + 5] = 0.125; // another digit in the first one's cell
    heat[16 * 6 + 15] = 0.01;
    const boxes = new Float32Array(4 * 16).fill(1);
    expect(decodeCentres({ heat, boxes })).toEqual({
      boxes: [
        [6, 6, 10, 10],
        [14, 2, 18, 6],
        [6, 6, 10, 10],
      ],
      labels: [2, 2, 6],
      scores: [0.5, 0.25, 0.125],
    });
  });

  test("makes no box that is turned inside out", () => {
    const heat = Object.assign(new Float32Array(160), { 0: 1 });
    expect(decodeCentres({ heat, boxes: new Float32Array(64).fill(-1) }).boxes).toEqual([[-4, -4, -4, -4]]);
  });
});

describe("the loss", () => {
  const asTensors = (targets: CentreTargets, numObjects: number) => ({
    heat: tensor(targets.heat, { shape: [1, 10, 4, 4] }),
    boxes: tensor(targets.boxes, { shape: [1, 4, 4, 4] }),
    isCentre: tensor(targets.isCentre, { shape: [1, 1, 4, 4] }),
    numObjects,
  });
  const targets = asTensors(encodeCentres([three, eight], side), 2);

  test("counts objects, and is next to nothing for the right answer", () => {
    const heat = tensor(
      encodeCentres([three, eight], side).heat.map((t) => (t === 1 ? 20 : -20)),
      { shape: [1, 10, 4, 4] },
    );
    const { sum, weight } = centreLoss({ heat, boxes: targets.boxes }, targets);
    expect(weight).toBe(2);
    expect(sum.itemSync()).toBeLessThan(1e-6);
  });

  test("is the sum of its formula: logits 0, boxes 0", () => {
    const zeros = (channels: number) => tensor(new Float32Array(channels * 16), { shape: [1, channels, 4, 4] });
    const { sum } = centreLoss({ heat: zeros(10), boxes: zeros(4) }, targets);
    const ofHeat = [...encodeCentres([three, eight], side).heat].reduce(
      (total, t) => total + (t === 1 ? 1 : (1 - t) ** 4) * 0.25 * Math.LN2,
      0,
    );
    expect(sum.itemSync()).toBeCloseTo(ofHeat + (0 + 0.5 + 1.5 + 2) + (0.875 + 0.875 + 1.25 + 2.25), 4);
  });

  test("of two scenes is the sum of theirs, so any micro-batches give the same", () => {
    const model = new CentreNet({ width: 4 });
    model.eval();
    const images = [1, 2].map((shift) =>
      tensor(
        Float32Array.from({ length: 256 }, (_, i) => ((i * shift) % 7) / 7),
        { shape: [1, 1, 16, 16] },
      ),
    );
    const sums = images.map((x) => centreLoss(model.forward(x), targets).sum.itemSync());
    const [first, second] = images.map((x) => model.forward(x));
    expect(first!.heat.shape).toEqual([1, 10, 4, 4]);
    expect(first!.heat.dataSync()).not.toEqual(second!.heat.dataSync());
    const together = tensor([...images[0]!.dataSync(), ...images[1]!.dataSync()], { shape: [2, 1, 16, 16] });
    const twice = (t: typeof targets.heat) => t.broadcastTo([2, ...t.shape.slice(1)]);
    const both = {
      heat: twice(targets.heat),
      boxes: twice(targets.boxes),
      isCentre: twice(targets.isCentre),
      numObjects: 4,
    };
    expect(centreLoss(model.forward(together), both).sum.itemSync()).toBeCloseTo(sums[0]! + sums[1]!, 3);
  });
});

test("one and three workers find the same digits with the same scores", async () => {
  const small = { side: 16, maxDigits: 1, width: 8, globalBatchSize: 48, microBatchSize: 16, totalSteps: 150 };
  const { one, three: ofThree } = await trainWithOneAndThree("examples/09-detection", {
    ...small,
    evalScenes: 96,
    evalIntervalSteps: 0,
    learningRate: 0.01,
  });
  expect(ofThree.paramsSha256).toBe(one.paramsSha256);
  expect(ofThree.metrics).toEqual(one.metrics);
  expect(one.metrics.map50).toBeGreaterThan(0.75);
}, 180_000);
