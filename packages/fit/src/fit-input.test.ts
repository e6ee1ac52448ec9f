import { nn, type Tensor } from "@lockstep/core";
import { createTable } from "@lockstep/data";
import { describe, expect, test } from "vitest";
import { callbacks, compile } from "./index.js";

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
      "fit: x: row 1, column 0 holds NaN; every value must be finite. Fill or drop missing values first.",
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
    [
      "a label out of range",
      () =>
        classifier().fit({
          x: [
            [1, 2],
            [3, 4],
          ],
          y: [1, 2],
        }),
      "fit: y: row 1 holds 2; the network has 2 outputs, and labels must be in 0..1, or -100 where nothing is to be learned. Encode them (LabelEncoder), or give the network an output for each class.",
    ],
    [
      "a held-out label out of range",
      () => classifier().fit({ x: [[1, 2]], y: [1] }, { validationData: { x: [[1, 2]], y: [-1] } }),
      "fit: validationData: y: row 0 holds -1; the network has 2 outputs, and labels must be in 0..1",
    ],
    [
      "a label to evaluate that is out of range",
      () => classifier().evaluate({ x: [[1, 2]], y: [9] }),
      "evaluate: y: row 0 holds 9; the network has 2 outputs, and labels must be in 0..1",
    ],
    [
      "a yes or no that is neither",
      () => compile({ model: () => new Line(), loss: "binaryCrossEntropy" }).fit({ x: [[1], [2]], y: [0, 2] }),
      "fit: y: row 1 holds 2; targets of binaryCrossEntropy must be in 0..1.",
    ],
    [
      "a sign that is none",
      () => compile({ model: () => new Line(), loss: "hinge" }).fit({ x: [[1], [2]], y: [0, 1] }),
      "fit: y: row 0 holds 0; targets of hinge must be -1 or 1.",
    ],
    [
      "labels that are text",
      () => classifier().fit({ x: [[1, 2]], y: ["cat"] as never }),
      'fit: y: row 0 holds "cat"; every value must be a number. Encode text first (LabelEncoder for labels, OneHotEncoder).',
    ],
    [
      "null for a missing value",
      () => line().fit({ x: [[1], [null]] as never, y: [1, 2] }),
      "fit: x: row 1 holds null; every value must be a number. Fill or drop missing values first.",
    ],
    [
      "a missing value of a table",
      () => line().fit({ x: createTable({ age: [1, 2], size: [3, null] }), y: [1, 2] }),
      "fit: x: row 1, column size holds NaN; every value must be finite. Fill or drop missing values first.",
    ],
    [
      "a number that f32 cannot hold",
      () => line().fit({ x: [[1], [1e300]], y: [1, 2] }),
      "fit: x: row 1, column 0 holds Infinity; every value must be finite. f32 must hold it: scale it first.",
    ],
    [
      "x and y as Keras takes them",
      () => line().fit(ramp.x as never, ramp.y as never),
      "fit: the first argument is no record; they must be one object, { x, y } or { x, y, sampleWeight }, with arrays of as many samples.",
    ],
    [
      "another name for x",
      () => line().fit({ X: ramp.x, y: ramp.y } as never),
      "fit: the samples have X, y; they must be one object, { x, y } or { x, y, sampleWeight }, with arrays of as many samples.",
    ],
    [
      "an option that there is not",
      () => line().fit(ramp, { batch_size: 2 } as never),
      "fit: batch_size is 2; options are epochs, batchSize, microBatchSize, validationData, validationSplit, callbacks, classWeight, seed, workers, out, verbose.",
    ],
    [
      "a directory for a run that has none",
      () => line().fit(ramp, { out: "runs/a" }),
      "fit: out is runs/a; workers is not given, and only a run with workers has a directory.",
    ],
    [
      "a callback that was not made",
      () => line().fit(ramp, { callbacks: [callbacks.EarlyStopping] as never }),
      "fit: callbacks[0] is the class or function EarlyStopping; it must be an object with one of onFitBegin, onStep, onNotice, onEpochEnd, onFitEnd. Make one with new.",
    ],
    [
      "one callback instead of a list",
      () => line().fit(ramp, { callbacks: new callbacks.EarlyStopping() as never }),
      "fit: callbacks is object; it must be an array.",
    ],
    [
      "a class weight that no sample has",
      () => classifier().fit({ x: [[1, 2]], y: [1] }, { classWeight: { 1: 2, 7: 1 } }),
      "fit: classWeight[7] is 1, and no sample has this label; it must be one of 1.",
    ],
    [
      "a batch of nothing",
      () => line().predict(ramp.x, { batchSize: 0 }),
      "predict: batchSize is 0; it must be a whole number of at least 1.",
    ],
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
    expect(make({ lr: 1 })).toThrow(
      "compile: there is no lr; a definition has name, module, exportName, model, forward,",
    );
    expect(make({ schedule: "cosine" })).toThrow('compile: schedule is "cosine"; it must be a function.');
    expect(() => compile(undefined as never)).toThrow(
      "compile: the definition is undefined; it must be an object, { model, loss, ... }.",
    );
    expect(() => new callbacks.EarlyStopping({ mode: "maximum" as never })).toThrow(
      'callback: mode is "maximum"; it must be "min" or "max".',
    );
    expect(make({ model: new Line() })).toThrow(
      "compile: model is object; it must be a function that makes the network: () => new Net().",
    );
  });

  test("a network that is none is refused", async () => {
    const model = compile({ model: () => ({}) as never, loss: "mse" });
    await expect(model.fit(ramp)).rejects.toMatchObject({
      code: "E_FIT_DEFINITION",
      message:
        "compile: model() gave object that is no nn.Module; it must be a network: a class that extends nn.Module, or nn.Sequential.",
    });
  });

  test("a fit that is under way is not joined by another", async () => {
    const model = line();
    const first = model.fit(ramp, { epochs: 2 });
    await expect(model.fit(ramp)).rejects.toMatchObject({ code: "E_FIT_BUSY" });
    await first;
    await model.fit(ramp);
  });
});
