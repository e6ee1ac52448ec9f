import { describe, expect, test } from "vitest";
import {
  createCpuBackend,
  customGrad,
  losses,
  matmul,
  microBatchScope,
  nn,
  noGrad,
  optim,
  scope,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "../index.js";

const leaf = (values: number[] | number[][]) => tensor(values, { requiresGrad: true });
const gradOf = (x: Tensor) => x.grad!.toArraySync();

describe("backward", () => {
  test("adds the contributions of every use of a leaf", () => {
    const x = leaf([1, 2, 3]);
    x.mul(x).add(x.mul(2)).sum().backward();
    expect(gradOf(x)).toEqual([4, 6, 8]);
  });

  test("accumulates over calls until the gradient is taken", () => {
    const x = leaf([1, 2]);
    x.mul(3).sum().backward();
    x.mul(4).sum().backward();
    expect(gradOf(x)).toEqual([7, 7]);
  });

  test("gives each of two leaves its own memory when they share a cotangent", () => {
    const [a, b] = [leaf([1, 2]), leaf([3, 4])];
    a.add(b).sum().backward();
    expect(gradOf(a)).toEqual([1, 1]);
    expect(a.grad!.storage).not.toBe(b.grad!.storage);
    expect(a.grad!.isContiguous).toBe(true);
  });

  test("starts from a cotangent when one is given, and asks for one when it must", () => {
    const x = leaf([1, 2]);
    expect(() => x.mul(2).backward()).toThrow(expect.objectContaining({ code: "E_SHAPE" }));
    x.mul(2).backward({ cotangent: tensor([10, 100]) });
    expect(gradOf(x)).toEqual([20, 200]);
  });

  test("undoes broadcasting", () => {
    const bias = leaf([1, 2, 3]);
    tensor([
      [1, 1, 1],
      [2, 2, 2],
    ])
      .mul(bias)
      .sum()
      .backward();
    expect(gradOf(bias)).toEqual([3, 3, 3]);
  });

  test("walks a graph once, or again with retainGraph", () => {
    const x = leaf([3]);
    const y = x.mul(x);
    y.backward({ retainGraph: true });
    y.backward();
    expect(gradOf(x)).toEqual([12]);
    expect(() => y.backward()).toThrow(expect.objectContaining({ code: "E_GRAPH_FREED" }));
  });

  test("refuses to use a saved tensor that was written in place", () => {
    const w = leaf([2]);
    const optimizer = new optim.Sgd([w], { learningRate: 1 });
    const loss = w.mul(w);
    w.grad = tensor([1]);
    optimizer.step();
    expect(() => loss.backward()).toThrow(expect.objectContaining({ code: "E_SAVED_CHANGED" }));
  });

  test("gives gradients of gradients with createGraph", () => {
    const x = leaf([2, -3]);
    x.pow(3).sum().backward({ createGraph: true });
    const first = x.grad!;
    x.grad = undefined;
    first.sum().backward();
    expect(gradOf(x)).toEqual([12, -18]);
  });

  test("refuses second derivatives of fused ops instead of dropping them", () => {
    const x = leaf([[1, 2]]);
    const probabilities = x
      .softmax()
      .mul(tensor([1, 2]))
      .sum();
    expect(() => probabilities.backward({ createGraph: true })).toThrow(
      expect.objectContaining({ code: "E_SECOND_DERIVATIVE" }),
    );
  });

  test("is not recorded inside noGrad, nor through detach or integers", () => {
    const x = leaf([1, 2]);
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(x.detach().mul(2).requiresGrad).toBe(false);
    expect(x.gt(1).requiresGrad).toBe(false);
    expect(() => x.detach().sum().backward()).toThrow(expect.objectContaining({ code: "E_NO_GRAD" }));
  });
});

describe("onGradReady", () => {
  test("fires after the last use of a leaf, in backward order, and at the end for leaves that nothing reached", () => {
    const [tied, first, unused] = [
      leaf([
        [1, 2],
        [3, 4],
      ]),
      leaf([
        [1, 0],
        [0, 1],
      ]),
      leaf([5]),
    ];
    const x = matmul(matmul(matmul(tensor([[1, 1]]), tied), first), tied);
    const seen: [Tensor, unknown][] = [];
    x.sum().backward({ leaves: [tied, first, unused], onGradReady: (p) => seen.push([p, p.grad?.toArraySync()]) });
    const names = new Map([
      [tied, "tied"],
      [first, "first"],
      [unused, "unused"],
    ]);
    expect(seen.map(([p]) => names.get(p))).toEqual(["first", "tied", "unused"]);
    expect(seen[1]![1]).toEqual(gradOf(tied));
    expect(seen[2]![1]).toBeUndefined();
  });
});

describe("customGrad", () => {
  test("uses the vjp it was given", () => {
    const straightThrough = customGrad(
      (x) => x.floor(),
      (g) => [g],
    );
    const x = leaf([1.7, -0.2]);
    straightThrough(x).mul(5).sum().backward();
    expect(gradOf(x)).toEqual([5, 5]);
  });

  test("checks the shape of what the vjp gives", () => {
    const wrong = customGrad(
      (x) => x.mul(2),
      (g) => [g.sum()],
    );
    expect(() =>
      wrong(leaf([1, 2]))
        .sum()
        .backward(),
    ).toThrow(expect.objectContaining({ code: "E_SHAPE" }));
  });
});

describe("memory", () => {
  test("a network learns XOR, and holds as much memory after 1,000 steps as after 10", () => {
    const backend = createCpuBackend();
    withBackend(backend, () => {
      const model = seedScope(3, () => new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1)));
      const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.05, weightDecay: 0 });
      const x = tensor([
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ]);
      const y = tensor([[0], [1], [1], [0]]);
      const figures = [];
      let loss = Number.POSITIVE_INFINITY;
      for (let step = 0; step < 1000; step++) {
        loss = scope(() => {
          const { sum } = losses.mseLoss(model.forward(x), y);
          sum.backward();
          return sum.itemSync();
        });
        optimizer.step();
        optimizer.zeroGrad();
        if (step === 9 || step === 999) figures.push(backend.memory());
      }
      expect(loss).toBeLessThan(1e-4);
      expect(figures[1]).toEqual(figures[0]);
    });
    backend.dispose();
  });

  test("a forward pass without a backward gives everything back with its scope", () => {
    const backend = createCpuBackend();
    withBackend(backend, () => {
      const w = leaf([
        [1, 2],
        [3, 4],
      ]);
      const before = backend.memory().numBuffers;
      scope(() => {
        let x = w;
        for (let i = 0; i < 20_000; i++) x = x.mul(1);
      });
      expect(backend.memory().numBuffers).toBe(before);
    });
    backend.dispose();
  });

  test("an error inside backward leaves nothing behind", () => {
    const backend = createCpuBackend();
    withBackend(backend, () => {
      const x = leaf([1, 2]);
      const before = backend.memory().numBuffers;
      const failing = customGrad(
        (a) => a.mul(2),
        () => {
          throw new Error("no gradient today");
        },
      );
      expect(() => scope(() => failing(x.mul(3)).mul(x.exp()).sum().backward())).toThrow("no gradient today");
      expect(backend.memory().numBuffers).toBe(before);
    });
    backend.dispose();
  });
});

describe("microBatchScope", () => {
  const draws = (m: number, step = 0) =>
    microBatchScope({ seed: 9, step, m }, () => {
      const drop = new nn.Dropout(0.5);
      const ones = tensor(new Float32Array(64).fill(1));
      return [drop.forward(ones).toArraySync(), drop.forward(ones).toArraySync()];
    });

  test("draws the same dropout for the same micro-batch, and another for each draw, step and m", () => {
    expect(draws(1)).toEqual(draws(1));
    const texts = [...draws(1), ...draws(2), ...draws(1, 1)].map((values) => JSON.stringify(values));
    expect(new Set(texts).size).toBe(6);
  });

  test("dropout's backward uses the mask of its forward", () => {
    const x = leaf(Array.from({ length: 50 }, () => 1));
    microBatchScope({ seed: 1, step: 2, m: 3 }, () => {
      const y = new nn.Dropout(0.3).forward(x);
      y.sum().backward();
      expect(gradOf(x)).toEqual(y.toArraySync());
    });
  });
});
