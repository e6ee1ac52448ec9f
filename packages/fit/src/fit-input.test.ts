import { nn, type Tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { compile } from "./index.js";

class Net extends nn.Module {
  linear = new nn.Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }
}

class Line extends nn.Module {
  linear = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }
}

const classifier = () => compile({ model: () => new Net(), loss: "crossEntropy" });
const line = () => compile({ model: () => new Line(), loss: "mse" });
const ramp = { x: [[0], [1], [2], [3]], y: [[1], [3], [5], [7]] };

describe("bad input", () => {
  test.each<[string, () => Promise<unknown>, string]>([
    [
      "ragged rows",
      () => line().fit({ x: [[1], [1, 2]], y: [[1], [2]] }),
      "fit: x has 2 values at row 1 where row 0 has 1; every row must have the same shape. Pad or cut the rows.",
    ],
    [
      "a missing value",
      () => line().fit({ x: [[1], [Number.NaN]], y: [[1], [2]] }),
      "fit: x: row 1 holds NaN; every value must be finite. Fill or drop missing values first.",
    ],
    [
      "unequal lengths",
      () => line().fit({ x: [[1], [2]], y: [[1]] }),
      "fit: y has 1 samples, and x has 2; every column must have as many. Check the first dim.",
    ],
    [
      "no samples",
      () => line().fit({ x: [], y: [] }),
      "fit: there are no samples; there must be at least one. Check the arrays.",
    ],
    [
      "a label that is no whole number",
      () => classifier().fit({ x: [[1, 2]], y: [0.5] }),
      "fit: y: row 0 holds 0.5; a loss over classes takes labels 0, 1, 2, ... Encode them (LabelEncoder), or use another loss.",
    ],
    ["a label out of range", () => classifier().fit({ x: [[1, 2]], y: [2] }), "crossEntropy"],
    ["no targets", () => line().fit({ x: [[1]] }), "fit: there is no y; it must be given, one target a sample."],
    [
      "a batch that cannot be cut",
      () => line().fit(ramp, { batchSize: 4, microBatchSize: 3 }),
      "fit: microBatchSize is 3; it must divide batchSize, 4.",
    ],
    [
      "two ways to hold out",
      () => line().fit(ramp, { validationSplit: 0.5, validationData: ramp }),
      "fit: validationSplit is 0.5; validationData is given as well; give one of the two.",
    ],
    [
      "too many workers",
      () => line().fit(ramp, { batchSize: 4, workers: 5 }),
      "fit: workers is 5; a step has 4 micro-batches, one for each at least.",
    ],
    [
      "workers where none can start",
      () => line().fit(ramp, { batchSize: 4, workers: 2 }),
      'fit: workers is given, and here nothing can start processes; import compile from "lockstep", in Node. Leave workers out to train in this process.',
    ],
    [
      "class weights of a regression",
      () => line().fit(ramp, { classWeight: { 0: 2 } }),
      "fit: classWeight is given, and the targets are not one label a sample; they must be whole numbers 0, 1, 2, ... Use sampleWeight instead.",
    ],
    [
      "a negative weight",
      () => line().fit({ ...ramp, sampleWeight: [1, -1, 1, 1] }),
      "fit: sampleWeight: row 1 is -1; a weight must be finite and at least 0.",
    ],
  ])("%s: nothing is trained", async (_, act, message) => {
    await expect(act()).rejects.toThrow(message);
  });

  test("a definition is checked at once", () => {
    const make = (change: object) => () => compile({ model: () => new Line(), loss: "mse", ...change } as never);
    expect(make({ loss: "mse!" })).toThrow(
      'compile: loss is "mse!"; it must be one of crossEntropy, binaryCrossEntropy, mse, mae, huber, hinge, or a function.',
    );
    expect(make({ optimizer: "adamm" })).toThrow(
      'compile: optimizer is "adamm"; it must be one of sgd, rmsprop, adagrad, adadelta, adam, adamw, adamax, nadam, lion, or a function.',
    );
    expect(make({ name: "a b" })).toThrow(
      'compile: name is "a b"; it must be 1 to 64 letters, digits, "-", "_" or ".".',
    );
    expect(make({ metrics: ["acuracy"] })).toThrow(
      'compile: the metric "acuracy" is "acuracy"; it must be one of accuracy, precision,',
    );
    expect(make({ learningRate: -1 })).toThrow(
      "compile: learningRate is -1; it must be a finite number of at least 0.",
    );
    expect(make({ model: new Line() })).toThrow(
      "compile: model is object; it must be a function that makes the network: () => new Net().",
    );
  });

  test("a fit that is under way is not joined by another", async () => {
    const model = line();
    const first = model.fit(ramp, { epochs: 2 });
    await expect(model.fit(ramp)).rejects.toMatchObject({ code: "E_FIT_BUSY" });
    await first;
    await model.fit(ramp);
  });
});
