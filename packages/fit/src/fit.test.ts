import { createHash } from "node:crypto";
import {
  createCpuBackend,
  losses,
  metrics,
  microBatchScope,
  nn,
  optim,
  seedScope,
  type Tensor,
  tensor,
  treeAccumulator,
} from "@lockstep/core";
import { createMatrix, createSampler, createTable } from "@lockstep/data";
import type { AnyJob } from "@lockstep/worker";
import { describe, expect, test } from "vitest";
import { callbacks, compile, createCompile, type FitOptions, type Inputs, type Values } from "./index.js";

/** Two clouds of points, apart in the sum of their coordinates. */
function clouds(size: number): { x: number[][]; y: number[] } {
  const y = Array.from({ length: size }, (_, i) => i % 2);
  const x = y.map((label, i) => [((i * 7) % 11) / 11 + label, ((i * 5) % 13) / 13 + label]);
  return { x, y };
}

class Net extends nn.Module {
  hidden = new nn.Linear(2, 8);
  head = new nn.Linear(8, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.hidden.forward(x).tanh());
  }
}

class Line extends nn.Module {
  linear = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }
}

const classifier = () =>
  compile({ model: () => new Net(), loss: "crossEntropy", optimizer: "adam", learningRate: 0.05 });
const line = () => compile({ model: () => new Line(), loss: "mse", optimizer: "sgd", learningRate: 0.1 });
const ramp = { x: [[0], [1], [2], [3]], y: [[1], [3], [5], [7]] };

describe("fit", () => {
  test("learns two clouds, evaluates after every epoch, and predicts labels", async () => {
    const model = classifier();
    const history = await model.fit(clouds(200), { epochs: 6, batchSize: 20, validationSplit: 0.2 });
    expect(history.step).toBe(48);
    expect(history.epochs.map(({ epoch, step }) => [epoch, step])).toEqual([1, 2, 3, 4, 5, 6].map((e) => [e, 8 * e]));
    const [first, last] = [history.epochs[0]!, history.epochs.at(-1)!];
    expect(last.evalLoss!).toBeLessThan(0.1);
    expect(last.evalLoss!).toBeLessThan(first.evalLoss!);
    const { x, y } = clouds(40);
    const logits = await model.predict(x);
    expect(logits.argMax(1).toArraySync()).toEqual(y);
    const { loss } = await model.evaluate({ x: clouds(200).x.slice(160), y: clouds(200).y.slice(160) });
    expect(loss).toBeCloseTo(last.evalLoss!, 5);
  });

  test("has the bits of a plain loop over core (L5)", async () => {
    const { x, y } = clouds(12);
    const model = classifier();
    const history = await model.fit({ x, y }, { epochs: 2, batchSize: 6, microBatchSize: 3, seed: 5 });
    const net = seedScope(5, () => new Net());
    const adam = new optim.Adam([...net.parameters()], { learningRate: 0.05 });
    const sampler = createSampler({ seed: 5, size: 12, globalBatchSize: 6, microBatchSize: 3 });
    const means: number[] = [];
    for (let step = 0; step < 4; step++) {
      const tree = treeAccumulator(net, 2);
      let total = 0;
      for (let m = 0; m < 2; m++) {
        microBatchScope({ seed: 5, step, m }, () => {
          const rows = sampler.microBatch(step, m).map(({ index }) => index);
          const inputs = tensor(rows.map((row) => x[row]!));
          const loss = losses.crossEntropy(net.forward(inputs), tensor(Int32Array.from(rows, (row) => y[row]!)));
          total += loss.sum.itemSync();
          loss.sum.backward();
          tree.add(loss.weight);
        });
      }
      tree.assignGradients();
      adam.step();
      adam.zeroGrad();
      means.push(total / 6);
    }
    const trained = Object.fromEntries(model.network.namedParameters());
    for (const [name, parameter] of net.namedParameters()) {
      expect(trained[name]!.toArraySync(), name).toEqual(parameter.toArraySync());
    }
    expect(history.epochs.map(({ loss }) => loss)).toEqual([(means[0]! + means[1]!) / 2, (means[2]! + means[3]!) / 2]);
  });

  test.each(["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamw", "adamax", "nadam", "lion"] as const)(
    "%s by name makes a loss smaller",
    async (optimizer) => {
      const model = compile({
        model: () => new Line(),
        loss: "huber",
        optimizer,
        learningRate: optimizer === "adadelta" ? 1 : 0.02,
      });
      const { epochs } = await model.fit(ramp, { epochs: 40, batchSize: 4 });
      expect(epochs[39]!.loss).toBeLessThan(0.97 * epochs[0]!.loss);
    },
  );

  test("goes on from the present weights, and loads weights back to the bit", async () => {
    const model = line();
    const first = await model.fit(ramp, { epochs: 3, batchSize: 4 });
    const saved = model.saveWeights();
    const second = await model.fit(ramp, { epochs: 1, batchSize: 4 });
    expect(second.epochs[0]!.loss).toBeLessThan(first.epochs[2]!.loss);
    const other = line();
    other.loadWeights(saved);
    expect([...other.saveWeights()]).toEqual([...saved]);
    const again = await other.fit(ramp, { epochs: 1, batchSize: 4 });
    expect(again.epochs[0]!.loss).toBe(second.epochs[0]!.loss);
    expect([...other.saveWeights()]).toEqual([...model.saveWeights()]);
  });

  test("takes several inputs by name, and a forward of its own", async () => {
    class Pair extends nn.Module {
      left = new nn.Linear(1, 1);
      right = new nn.Linear(2, 1);
    }
    const model = compile<{ a: Tensor; b: Tensor }, Pair>({
      model: () => new Pair(),
      forward: (net, { a, b }) => net.left.forward(a).add(net.right.forward(b)),
      loss: "mse",
      optimizer: "sgd",
      learningRate: 0.1,
    });
    const x = {
      a: [[1], [2], [3], [4]],
      b: [
        [0, 1],
        [1, 0],
        [1, 1],
        [0, 0],
      ],
    };
    const y = x.a.map(([a], i) => [2 * a! - x.b[i]![0]! + 3 * x.b[i]![1]!]);
    await model.fit({ x, y }, { epochs: 300, batchSize: 4 });
    const predicted = (await model.predict(x)).toArraySync() as number[][];
    for (const [i, [value]] of predicted.entries()) expect(value).toBeCloseTo(y[i]![0]!, 1);
  });

  test("a sample of weight 0 does not train, and one of class weight 2 counts twice", async () => {
    const withOutlier = { x: [...ramp.x, [1]], y: [...ramp.y, [99]], sampleWeight: [1, 1, 1, 1, 0] };
    const model = line();
    await model.fit(withOutlier, { epochs: 200, batchSize: 5, microBatchSize: 5 });
    const [[slope]] = model.network.linear.weight.toArraySync() as number[][] as [[number]];
    expect(slope).toBeCloseTo(2, 1);
    // One micro-batch of two samples: the gradient is that of three, over a count of two.
    const options: FitOptions = { epochs: 1, batchSize: 2, microBatchSize: 2 };
    const x = [
      [0.5, 0.1],
      [0.2, 0.9],
    ];
    const weighted = await classifier().fit({ x, y: [0, 1] }, { ...options, classWeight: { 1: 2 } });
    const plain = await classifier().fit({ x, y: [0, 1] }, options);
    const parts = await Promise.all([0, 1].map((i) => classifier().evaluate({ x: [x[i]!], y: [i] })));
    expect(plain.epochs[0]!.loss).toBeCloseTo((parts[0]!.loss + parts[1]!.loss) / 2, 6);
    expect(weighted.epochs[0]!.loss).toBeCloseTo((parts[0]!.loss + 2 * parts[1]!.loss) / 2, 6);
  });

  test("held-out samples have their own weights, and classes weigh times samples", async () => {
    const held = { x: [[5], [6]], y: [[1], [2]] };
    const evalLossOf = async (sampleWeight?: number[]) => {
      const validationData = sampleWeight === undefined ? held : { ...held, sampleWeight };
      return (await line().fit(ramp, { batchSize: 4, validationData })).epochs[0]!.evalLoss!;
    };
    expect(await evalLossOf([2, 0])).toBeCloseTo((await evalLossOf([1, 1])) * 2 - (await evalLossOf([0, 2])), 3);
    expect(await evalLossOf([2, 0])).not.toBeCloseTo(await evalLossOf(), 3);
    const options: FitOptions = { epochs: 1, batchSize: 2, microBatchSize: 2 };
    const given = {
      x: [
        [0.5, 0.1],
        [0.2, 0.9],
      ],
      y: [0, 1],
    };
    const both = await classifier().fit({ ...given, sampleWeight: [1, 3] }, { ...options, classWeight: { 1: 2 } });
    const product = await classifier().fit({ ...given, sampleWeight: [1, 6] }, options);
    expect(both.epochs[0]!.loss).toBe(product.epochs[0]!.loss);
  });

  test("clips the gradient where maxGradNorm says so, and predicts in the order of the samples", async () => {
    const model = compile({
      model: () => new Line(),
      loss: "mse",
      optimizer: "sgd",
      learningRate: 1,
      maxGradNorm: 0.01,
    });
    const numbers = () => [...model.network.namedParameters()].flatMap(([, parameter]) => [...parameter.dataSync()]);
    const before = numbers();
    await model.fit(ramp, { batchSize: 4 });
    const moved = numbers().map((value, i) => value - before[i]!);
    expect(Math.sqrt(moved.reduce((sum, x) => sum + x * x, 0))).toBeCloseTo(0.01, 5);
    const [weight, bias] = numbers() as [number, number];
    const xs = Array.from({ length: 70 }, (_, i) => [i]);
    const predicted = (await model.predict(xs)).toArraySync() as number[][];
    for (const [i, [value]] of predicted.entries()) expect(value).toBeCloseTo(weight * i + bias, 4);
  });

  test("takes matrices, tables and columns of the room data, rows of typed arrays, and flat targets of one output", async () => {
    const weightsOf = async (x: Inputs, y: Values) => {
      const model = line();
      await model.fit({ x, y }, { epochs: 2, batchSize: 4 });
      return [...model.saveWeights()];
    };
    const table = createTable({ a: [0, 1, 2, 3] });
    const [xs, ys] = [ramp.x.map((row) => Float32Array.from(row)), ramp.y.map(([y]) => y!)];
    const expected = await weightsOf(ramp.x, ramp.y);
    const [columns, matrix] = [Float64Array.from(ys), createMatrix(table)];
    for (const [x, y] of [
      [table, columns],
      [matrix, ys],
      [xs, ramp.y],
    ] as [Inputs, Values][]) {
      expect(await weightsOf(x, y)).toEqual(expected);
    }
    const held = { x: table, y: columns };
    const { loss } = await line().evaluate(held);
    expect(loss).toBe((await line().evaluate(ramp)).loss);
    const { epochs } = await line().fit(ramp, { validationData: held, batchSize: 4 });
    expect(epochs[0]!.evalLoss).toBe(
      (await line().fit(ramp, { validationData: ramp, batchSize: 4 })).epochs[0]!.evalLoss,
    );
  });

  test("augments training batches only, with the micro-batch's own draws", async () => {
    let numCalls = 0;
    const model = compile({
      model: () => new Line(),
      loss: "mse",
      augment: (x: Tensor) => {
        numCalls++;
        return x;
      },
    });
    await model.fit(ramp, { epochs: 2, batchSize: 4, microBatchSize: 2, validationData: ramp });
    // Two micro-batches of two steps, and the probe, computed twice.
    expect(numCalls).toBe(2 * 2 + 2);
  });
});

describe("metrics", () => {
  test("of held-out samples stand in the epochs, and evaluate gives them", async () => {
    const model = compile({
      model: () => new Net(),
      loss: "crossEntropy",
      optimizer: "adam",
      learningRate: 0.05,
      metrics: {
        accuracy: "accuracy",
        area: "rocAuc",
        ones: { metric: () => metrics.streaming.meanAbsoluteError(), of: (outputs) => outputs.argMax(1) },
      },
    });
    const { x, y } = clouds(100);
    const held = { x: x.slice(80), y: y.slice(80) };
    const { epochs } = await model.fit({ x, y }, { epochs: 2, batchSize: 10, validationData: held });
    const labels = (await model.predict(held.x)).argMax(1).toArraySync() as number[];
    const hits = labels.filter((label, i) => label === held.y[i]).length;
    expect(hits).toBeGreaterThan(10);
    expect(epochs[1]!.accuracy).toBe(hits / 20);
    expect(epochs[1]!.ones).toBe((20 - hits) / 20);
    const evaluation = await model.evaluate(held);
    expect(evaluation).toMatchObject({ accuracy: hits / 20, area: epochs[1]!.area });
    expect(Object.keys(epochs[1]!)).toEqual([
      "epoch",
      "step",
      "loss",
      "evalLoss",
      "accuracy",
      "area",
      "ones",
      "learningRate",
      "ms",
    ]);
  });

  test("of one output against none take it as a logit", async () => {
    class One extends nn.Module {
      linear = new nn.Linear(1, 1);
      forward(x: Tensor): Tensor {
        return this.linear.forward(x).reshape([-1]);
      }
    }
    const model = compile({
      model: () => new One(),
      loss: "binaryCrossEntropy",
      metrics: ["accuracy", "rocAuc"],
      learningRate: 0.1,
    });
    const samples = { x: [[-2], [-1], [1], [2]], y: Float32Array.of(0, 0, 1, 1) };
    await model.fit(samples, { epochs: 50, batchSize: 4 });
    expect(await model.evaluate(samples)).toMatchObject({ accuracy: 1, rocAuc: 1 });
  });

  test("can be monitored", async () => {
    const model = compile({ model: () => new Net(), loss: "crossEntropy", metrics: ["accuracy"], learningRate: 0 });
    const stop = new callbacks.EarlyStopping({ monitor: "accuracy", mode: "max", patience: 2 });
    const history = await model.fit(clouds(20), { epochs: 9, validationSplit: 0.5, callbacks: [stop] });
    expect(history.epochs.length).toBe(3);
  });
});

describe("what a report shows of a fit", () => {
  const explained = ({ job }: { job: AnyJob }, network: nn.Module, batch: { inputs: unknown; targets: Tensor }) =>
    job.explain!(network, batch as never);

  test("is columns or images with labels or values", () => {
    const [points, labels] = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor(Int32Array.of(0, 1)),
    ];
    const ofClasses = explained(classifier(), new Net(), { inputs: points, targets: labels })!;
    expect([ofClasses.kind, ofClasses.targets === labels]).toEqual(["columns", true]);
    expect(ofClasses.outputs(points).shape).toEqual([2, 2]);
    const xs = tensor([[1], [2]]);
    const net = new Line();
    const ofValues = explained(line(), net, { inputs: xs, targets: tensor([[3], [5]]) })!;
    expect(ofValues.targets.toArraySync()).toEqual([3, 5]);
    const raw = net.forward(xs).reshape([-1]).toArraySync() as number[];
    expect(ofValues.outputs(xs).toArraySync()).toEqual(raw);
    const yesOrNo = compile({ model: () => new Line(), loss: "binaryCrossEntropy" });
    const shown = explained(yesOrNo, net, { inputs: xs, targets: tensor([[1], [0]]) })!.outputs(xs);
    for (const [i, value] of (shown.toArraySync() as number[]).entries()) {
      expect(value).toBeCloseTo(1 / (1 + Math.exp(-raw[i]!)), 6);
    }
    class Mean extends nn.Module {
      scale = new nn.Linear(1, 1);
      forward(x: Tensor): Tensor {
        return this.scale.forward(x.reshape([x.shape[0]!, -1]).mean(1).reshape([-1, 1]));
      }
    }
    const pictures = tensor(
      Float32Array.from({ length: 8 }, (_, i) => i),
      { shape: [2, 1, 2, 2] },
    );
    expect(explained(line(), new Mean(), { inputs: pictures, targets: tensor([[1], [0]]) })!.kind).toBe("image");
  });

  test("is nothing where there are several inputs, sequences, or outputs that are neither scores nor one value", () => {
    const targets = tensor([[1]]);
    const answers = [
      explained(line(), new Line(), { inputs: { a: targets, b: targets }, targets }),
      explained(line(), new Line(), { inputs: tensor([[[1]]]), targets }),
      explained(line(), new Net(), { inputs: tensor([[1, 2]]), targets: tensor([[1, 2]]) }),
    ];
    expect(answers.map((answer) => answer?.kind)).toEqual([undefined, undefined, undefined]);
  });
});

test("the hash of the weights is the one that runs state", async () => {
  const sha256 = (parts: readonly Uint8Array[]) => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest("hex");
  };
  const model = createCompile({ createBackend: () => createCpuBackend(), sha256 })({
    model: () => new Line(),
    loss: "mse",
  });
  const { paramsSha256 } = await model.fit(ramp, { epochs: 1, batchSize: 4 });
  const values = [...model.network.namedParameters()].flatMap(([, p]) => [...p.dataSync()]);
  expect(paramsSha256).toBe(sha256([new Uint8Array(Float32Array.from(values).buffer)]));
});
