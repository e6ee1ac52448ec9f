import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { seedScope, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { inputs, lossOf, TwoLayerNet, targets, train, type Variant } from "./main.js";

type Matrix = number[][];

/** The whole network as f64 arrays, [in][out] as the formulas have it. */
interface Weights {
  w1: Matrix;
  b1: number[];
  w2: Matrix;
  b2: number[];
}

const times = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * b[k]![j]!, 0)));
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const plus = (a: Matrix, b: readonly number[]): Matrix => a.map((row) => row.map((v, j) => v + b[j]!));
const columnSums = (a: Matrix): number[] => a[0]!.map((_, j) => a.reduce((sum, row) => sum + row[j]!, 0));

/** One update by the formulas, written by hand. */
function updateByHand({ w1, b1, w2, b2 }: Weights, variant: Variant): Weights {
  const rate = 0.01;
  const a1 = plus(times(inputs, w1), b1).map((row) => row.map(Math.tanh));
  const output = plus(times(a1, w2), b2).map((row) => row.map(Math.tanh));
  const delta2 = output.map((row, i) =>
    row.map((o, j) => (o - targets[i]![j]!) * (variant === "classic" ? 1 : 1 - o * o)),
  );
  const delta1 = times(delta2, transposed(w2)).map((row, i) => row.map((v, j) => v * (1 - a1[i]![j]! ** 2)));
  const descend = (w: Matrix, gradient: Matrix) => w.map((row, i) => row.map((v, j) => v - rate * gradient[i]![j]!));
  return {
    w1: descend(w1, times(transposed(inputs), delta1)),
    b1: b1.map((v, j) => v - rate * columnSums(delta1)[j]!),
    w2: descend(w2, times(transposed(a1), delta2)),
    b2: b2.map((v, j) => v - rate * columnSums(delta2)[j]!),
  };
}

async function weightsOf(net: TwoLayerNet): Promise<Weights> {
  const read = async (value: { toArray(): Promise<unknown> }) => (await value.toArray()) as never;
  return {
    w1: transposed(await read(net.fc1.weight)),
    b1: await read(net.fc1.bias!),
    w2: transposed(await read(net.fc2.weight)),
    b2: await read(net.fc2.bias!),
  };
}

const newNet = () => seedScope(1, () => new TwoLayerNet(2, 8, 1));

describe.each(["classic", "true gradient"] as const)("%s", (variant) => {
  test("the first five updates are those of the formulas", async () => {
    const net = newNet();
    let expected = await weightsOf(net);
    for (let step = 1; step <= 5; step++) {
      train(net, tensor(inputs), tensor(targets), 1, variant);
      expected = updateByHand(expected, variant);
      const actual = await weightsOf(net);
      for (const name of ["w1", "b1", "w2", "b2"] as const) {
        const [a, b] = [actual[name].flat(), expected[name].flat()];
        for (const [i, value] of a.entries())
          expect(Math.abs(value - b[i]!), `${name}[${i}], step ${step}`).toBeLessThan(2e-6);
      }
    }
  });

  test("learns exclusive or", async () => {
    const net = newNet();
    const [x, y] = [tensor(inputs), tensor(targets)];
    const before = await lossOf(net, x, y, "true gradient").item();
    train(net, x, y, 1_000, variant);
    expect(await lossOf(net, x, y, "true gradient").item()).toBeLessThan(before / 20);
    const outputs = (await net.forward(x).toArray()) as number[][];
    expect(outputs.map(([value]) => Math.sign(value!))).toEqual([-1, 1, 1, -1]);
  });
});

test("prints what its README says", () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const readme = readFileSync(`${here}README.md`, "utf8");
  const printed = execFileSync(process.execPath, ["--import", "tsx", "main.ts"], { cwd: here, encoding: "utf8" });
  expect(printed).toBe(/```\n(classic[^`]+)```/.exec(readme)![1]);
});

test("weights are normal numbers and biases zero", async () => {
  const { w1, b1, b2 } = await weightsOf(newNet());
  expect([...b1, ...b2].every((value) => value === 0)).toBe(true);
  const squares = w1.flat().map((value) => value * value);
  expect(squares.reduce((a, b) => a + b) / squares.length).toBeGreaterThan(0.3);
});

test("the two variants differ by the derivative of the output's tanh", async () => {
  const [classic, exact] = [newNet(), newNet()];
  train(classic, tensor(inputs), tensor(targets), 1, "classic");
  train(exact, tensor(inputs), tensor(targets), 1, "true gradient");
  expect((await weightsOf(classic)).w2).not.toEqual((await weightsOf(exact)).w2);
});
