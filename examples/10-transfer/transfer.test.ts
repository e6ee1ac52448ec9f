import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  decodeSafetensors,
  encodeSafetensors,
  flatLayout,
  optim,
  type StoredTensor,
  seedScope,
  trainedParameters,
} from "@lockstep/core";
import { decodePng } from "@lockstep/data";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, runLockstep } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { drawFashionSample, readFashionSample, sampleFile } from "./fashion-sample.js";
import { readFashionFolder } from "./make-sample.js";
import { takeBody } from "./take-body.js";
import { bodyFile, loadBody, TransferNet } from "./transfer-net.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const beside = (name: string) => new Uint8Array(readFileSync(join(here, name)));
/** The tensors of a body as arrays, by name. */
const bodyOf = (tensors: Iterable<readonly [string, StoredTensor]>) =>
  new Map([...tensors].filter(([name]) => name.startsWith("body.")).map(([name, { data }]) => [name, [...data]]));
const digitsBody = decodeSafetensors(beside(bodyFile)).tensors;

afterAll(cleanUp);

describe("the sample of Fashion-MNIST", () => {
  const { train, test: held } = readFashionSample(beside(sampleFile));

  test("has 60 images of each class to train on and 30 to test on, as they are in the files", () => {
    expect([train.length, held.length]).toEqual([600, 300]);
    for (let label = 0; label < 10; label++) {
      expect(train.filter((sample) => sample.label === label)).toHaveLength(60);
      expect(held.filter((sample) => sample.label === label)).toHaveLength(30);
    }
    const { data } = train[9 * 60]!.image; // image 0 of train-images-idx3-ubyte, an ankle boot
    expect([...data.subarray(3 * 28 + 12, 3 * 28 + 20)].map((value) => Math.round(255 * value))).toEqual([
      1, 0, 0, 13, 73, 0, 0, 1,
    ]);
  });

  const folder = "/usr/share/datasets/fashion-mnist";
  test.skipIf(!existsSync(folder))("is what Debian's package gives", () => {
    const { width, height, data } = drawFashionSample(readFashionFolder(folder));
    const committed = decodePng(beside(sampleFile));
    expect([committed.width, committed.height]).toEqual([width, height]);
    expect(Buffer.compare(Buffer.from(data), Buffer.from(committed.data as Uint8Array))).toBe(0);
  });

  test("is not needed by who names a folder, and is told how to get one that is not there", async () => {
    const { status, stderr } = await runLockstep(["run", here, "--set", "dataFolder=/none"]);
    expect(status).toBe(2);
    expect(stderr).toContain("there is nothing at /none");
    expect(stderr).toContain("On Debian: apt install dataset-fashion-mnist");
  });
});

describe("a frozen body", () => {
  const model = seedScope(1, () => new TransferNet({ numClasses: 10, width: 16, isBodyFrozen: true }));
  loadBody(model, beside(bodyFile), bodyFile);

  test("has no place in the gradient and no optimizer state, and stays in evaluation", () => {
    const layout = flatLayout(trainedParameters(model), model.namedStatistics());
    expect(layout.parameters.map(({ name, length }) => [name, length])).toEqual([
      ["head.linear.bias", 10],
      ["head.linear.weight", 2560],
      ["head.norm.statistics", 513],
    ]);
    const optimizer = new optim.AdamW(model.parameters());
    expect([...optimizer.namedState()].map(([, { size }]) => size)).toEqual([2560, 2560, 10, 10]);
    model.eval().train();
    expect([model.training, model.head.training, model.body.training, model.body.at(1).training]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    const whole = seedScope(1, () => new TransferNet({ numClasses: 10, width: 16, isBodyFrozen: false }));
    expect(flatLayout(trainedParameters(whole), whole.namedStatistics()).length).toBe(2570 + 513 + 23_408 + 227);
  });

  test("comes from a file of a digits network, whose head is left out; a file that lacks a part of it is refused", () => {
    const values = [...model.body.stateDict()].map(
      ([name, tensor]) => [`body.${name}`, [...tensor.dataSync()]] as const,
    );
    expect(new Map(values)).toEqual(bodyOf(digitsBody));
    const head = { dtype: "f32", shape: [1], data: Float32Array.of(1) } as const;
    const withHead = encodeSafetensors([...digitsBody, ["head.bias", head]]);
    loadBody(model, withHead, "run");
    expect([...decodeSafetensors(takeBody(withHead)).tensors.keys()]).toEqual([...digitsBody.keys()]);
    const cut = encodeSafetensors([...digitsBody].filter(([name]) => name !== "body.4.runningMean"));
    expect(() => loadBody(model, cut, "cut")).toThrow(
      expect.objectContaining({ code: "E_STATE_DICT", message: expect.stringContaining("4.runningMean") }),
    );
  });
});

test("sixty steps of the head know seven of ten clothes, to the same bits with one and with three workers, and change no bit of the body", async () => {
  const { one, three, runOfThree } = await trainWithOneAndThree(here, { totalSteps: 60, evalIntervalSteps: 0 });
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(three.worldSize).toBe(3);
  expect(one.metrics.accuracy).toBeGreaterThan(0.7); // 0.767 when this was written
  const checkpoint = (name: string) =>
    decodeSafetensors(readFileSync(join(runOfThree, "checkpoints/step-000060", name))).tensors;
  expect(bodyOf(checkpoint("model.safetensors"))).toEqual(bodyOf(digitsBody));
  expect([...checkpoint("optimizer.safetensors").values()].map(({ data }) => data.length)).toEqual([
    2560, 2560, 10, 10,
  ]);
  expect(three.bytesSentPerWorkerPerStep).toBeLessThan(2 * 2 * 4 * 3083); // all trained: 8 times as many
}, 120_000);
