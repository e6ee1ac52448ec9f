import { createCpuBackend, nn, type Tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { callbacks, compile, createCompile, type EpochLog, type FitOptions } from "./index.js";

class Line extends nn.Module {
  linear = new nn.Linear(1, 1);
  forward(x: Tensor): Tensor {
    return this.linear.forward(x);
  }
}

const line = () => compile({ model: () => new Line(), loss: "mse", optimizer: "sgd", learningRate: 0.1 });
const ramp = { x: [[0], [1], [2], [3]], y: [[1], [3], [5], [7]] };

describe("callbacks", () => {
  const logsOf = async (options: FitOptions): Promise<readonly EpochLog[]> => {
    const history = await line().fit(ramp, { batchSize: 4, validationData: { x: [[9]], y: [[0]] }, ...options });
    return history.epochs;
  };

  test("EarlyStopping ends a fit that no longer becomes better, and gives the best weights back", async () => {
    const model = line();
    // What is held out contradicts what is trained: the first epoch is the best.
    const history = await model.fit(ramp, {
      epochs: 30,
      batchSize: 4,
      validationData: { x: [[9]], y: [[0]] },
      callbacks: [new callbacks.EarlyStopping({ patience: 2, restoreBestWeights: true })],
    });
    expect(history.epochs.length).toBe(3);
    expect(history.step).toBe(3);
    expect(history.stopReason).toMatch(/^no better value for 2 epochs; the best was [\d.]+ in epoch 1$/);
    const { loss } = await model.evaluate({ x: [[9]], y: [[0]] });
    expect(loss).toBe(history.epochs[0]!.evalLoss);
  });

  test("begin anew with a new fit", async () => {
    const held = { x: [[9]], y: [[0]] };
    const stop = new callbacks.EarlyStopping({ patience: 2 });
    let csv = "";
    const saved: number[] = [];
    const options: FitOptions = {
      epochs: 9,
      batchSize: 4,
      validationData: held,
      callbacks: [
        stop,
        new callbacks.CsvLogger((text) => (csv += text)),
        new callbacks.BestWeights({ write: (_, log) => void saved.push(log.epoch) }),
      ],
    };
    const lengths = [(await line().fit(ramp, options)).epochs.length, (await line().fit(ramp, options)).epochs.length];
    expect(lengths).toEqual([3, 3]);
    expect(csv.match(/^epoch,step/gm)).toHaveLength(2);
    expect(saved).toEqual([1, 1]);
  });

  test("a monitor that no epoch has is named, with those that there are", async () => {
    const fit = line().fit(ramp, { callbacks: [new callbacks.EarlyStopping()] });
    await expect(fit).rejects.toMatchObject({
      code: "E_FIT_MONITOR",
      message:
        'callback: monitor is "evalLoss", and an epoch has epoch, step, loss, learningRate, ms; it must be one of them. Give fit validationData or validationSplit.',
    });
  });

  test("loggers write what the epochs were", async () => {
    let [csv, jsonl, rates] = ["", "", ""];
    const saved: number[] = [];
    const epochs = await logsOf({
      epochs: 2,
      callbacks: [
        new callbacks.CsvLogger((text) => (csv += text)),
        new callbacks.JsonlLogger((text) => (jsonl += text)),
        new callbacks.LearningRateLogger((text) => (rates += text)),
        new callbacks.BestWeights({ monitor: "loss", write: (_, log) => void saved.push(log.epoch) }),
      ],
    });
    const rows = csv.trim().split("\n");
    expect(rows[0]).toBe("epoch,step,loss,evalLoss,learningRate,ms");
    expect(rows[2]).toBe(Object.values(epochs[1]!).join(","));
    expect(
      jsonl
        .trim()
        .split("\n")
        .map((row) => JSON.parse(row)),
    ).toEqual(epochs);
    expect(rates).toBe("1 0.1\n2 0.1\n");
    expect(saved).toEqual([1, 2]);
  });

  test("progress says a line an epoch", async () => {
    let text = "";
    const progress = () => new callbacks.ProgressLogger((part) => (text += part));
    const shown = createCompile({ createBackend: () => createCpuBackend(), progress })({
      name: "line",
      model: () => new Line(),
      loss: "mse",
    });
    await shown.fit(ramp, { epochs: 1, batchSize: 4 });
    expect(text).toMatch(
      /^line: 4 samples, 1 steps, in this process\nEpoch 1\/1 {2}loss [\d.]+ {2}learningRate 0\.00100\n$/,
    );
    text = "";
    await shown.fit(ramp, { verbose: false });
    expect(text).toBe("");
  });
});

test("what a run with workers survives is told to the callbacks, and shown", async () => {
  let shown = "";
  const told: string[] = [];
  const weights = line().saveWeights();
  const model = createCompile({
    createBackend: () => createCpuBackend(),
    progress: () => new callbacks.ProgressLogger((text) => (shown += text)),
    launch: async ({ onStep, onNotice }) => {
      onNotice("worker local-1 left");
      onStep({ step: 1, loss: 2, learningRate: 0.5, gradNorm: 1 });
      return { step: 1, evaluation: {}, weights, paramsSha256: "f00" };
    },
  })({ model: () => new Line(), loss: "mse", module: "file:///model.js" });
  const { epochs } = await model.fit(ramp, { workers: 2, callbacks: [{ onNotice: (text) => told.push(text) }] });
  expect(told).toEqual(["worker local-1 left"]);
  expect(shown).toMatch(/^model: 4 samples, 1 steps, 2 workers\nworker local-1 left\nEpoch 1\/1 {2}loss 2\.0000/);
  expect(epochs).toMatchObject([{ epoch: 1, step: 1, loss: 2, learningRate: 0.5 }]);
});
