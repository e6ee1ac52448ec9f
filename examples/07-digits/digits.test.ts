import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createJobFiles } from "@lockstep/worker";
import { readDigits } from "@lockstep-examples/digits-data/digits";
import { fashionMnistFolder, readFashionMnist } from "@lockstep-examples/digits-data/fashion-mnist";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, temporaryFolder } from "../../tests/e2e/lockstep-process.js";
import { trainWith } from "../digits-data/train-with.testkit.js";

afterAll(cleanUp);

const here = fileURLToPath(new URL(".", import.meta.url));

describe("the digits", () => {
  const { train, test: held } = readDigits(readFileSync(join(here, "../digits-data/digits.csv.gz")));

  test("are 898 to train on and 899 to test, of all ten classes", () => {
    expect([train.length, held.length]).toEqual([898, 899]);
    for (const samples of [train, held]) expect(new Set(samples.map(({ label }) => label)).size).toBe(10);
  });

  test("are the pixels of the file, from 0 to 1: the first is a zero", () => {
    const { image, label } = train[0]!;
    expect(label).toBe(0);
    expect([...image.data.subarray(0, 8)].map((value) => 16 * value)).toEqual([0, 0, 5, 13, 9, 1, 0, 0]);
  });
});

describe("Fashion-MNIST", () => {
  const idx = (...bytes: number[]) => ({ read: () => Uint8Array.of(0, 0, 8, ...bytes) });
  const images = idx(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 0);
  const labels = idx(1, 0, 0, 0, 2, 9, 4);
  const folder = (parts: readonly string[]) =>
    createJobFiles(
      parts.map((path) => ({ name: "fashion", path, read: (path.includes("images") ? images : labels).read })),
    );

  test("is read from the four files", () => {
    const parts = [
      "train-images-idx3-ubyte",
      "train-labels-idx1-ubyte",
      "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte",
    ];
    const { train, test: held } = readFashionMnist(folder(parts), "fashion");
    expect(train.map(({ label }) => label)).toEqual([9, 4]);
    expect([...held[0]!.image.data]).toEqual([0, 1]);
    expect(held[1]!.image).toMatchObject({ height: 1, width: 2, channels: 1 });
  });

  test("says how to get it when no folder is named, or a file is missing", () => {
    const getIt = { code: "E_JOB_FILE", message: expect.stringContaining("apt install dataset-fashion-mnist") };
    expect(() => fashionMnistFolder("")).toThrow(expect.objectContaining(getIt));
    expect(() => readFashionMnist(folder(["train-labels-idx1-ubyte"]), "fashion")).toThrow(
      expect.objectContaining({ ...getIt, fields: expect.objectContaining({ part: "train-images-idx3-ubyte" }) }),
    );
  });
});

test("a hundred steps of a narrow network read nine of ten test digits, to the same bits with one and with three workers", async () => {
  const small = ["width=8", "totalSteps=100"];
  const { one, three } = await trainWith(here, temporaryFolder(), small);
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(one.metrics.accuracy).toBeGreaterThan(0.92); // 0.944 when this was written
}, 120_000);
