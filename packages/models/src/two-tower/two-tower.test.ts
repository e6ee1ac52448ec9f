/** Legend: B users, N items, D features of a tower's result. */
import {
  Generator,
  losses,
  optim,
  scope,
  seedScope,
  stateDictFromSafetensors,
  stateDictToSafetensors,
  type Tensor,
  tensor,
} from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { bprLoss, inBatchSoftmaxLoss } from "./retrieval-losses.js";
import { Tower, type TowerConfig } from "./tower.js";
import { pairScores, TwoTower, topItems } from "./two-tower.js";

const [numUsers, numItems, numTastes] = [24, 30, 3];
const userTower: TowerConfig = {
  features: {
    history: { numRows: numItems + 1, embedDim: 8, paddingIdx: numItems },
    country: { numRows: 4, embedDim: 2, mode: "sum" },
  },
  hiddenDims: [16],
  outDim: 8,
};
const itemTower: TowerConfig = {
  features: { id: { numRows: numItems, embedDim: 8 }, taste: { numRows: numTastes, embedDim: 4 } },
  outDim: 8,
};
const create = () => seedScope(2, () => new TwoTower({ user: userTower, item: itemTower }));
const i32 = (rows: readonly (readonly number[])[]) => tensor(rows as number[][], { dtype: "i32" });

/** User u likes items whose number is u modulo the number of tastes. */
const tasteOf = (number: number): number => number % numTastes;
const liked = (user: number, nth: number): number =>
  tasteOf(user) + numTastes * ((nth * 7 + user) % (numItems / numTastes));
const users = (list: readonly number[]) => ({
  history: i32(list.map((user) => [liked(user, 0), liked(user, 1), user % 2 === 0 ? numItems : liked(user, 2)])),
  country: i32(list.map((user) => [user % 4])),
});
const items = (list: readonly number[]) => ({
  id: i32(list.map((item) => [item])),
  taste: i32(list.map((item) => [tasteOf(item)])),
});
const everyone = Array.from({ length: numUsers }, (_, user) => user);
const everything = Array.from({ length: numItems }, (_, item) => item);

/** Share of right tastes among the five best items of every user. */
function precision(model: TwoTower): number {
  return scope(() => {
    const { indices } = topItems(model.user.forward(users(everyone)), model.item.forward(items(everything)), 5);
    const found = (indices.toArraySync() as number[][]).flatMap((row, user) =>
      row.map((item) => tasteOf(item) === tasteOf(user)),
    );
    return found.filter(Boolean).length / found.length;
  });
}

const lossOf: Readonly<Record<string, (model: TwoTower, random: Generator) => losses.LossSum>> = {
  "in-batch softmax": (model, random) => {
    const positive = everyone.map((user) => liked(user, random.integer(10)));
    const itemIds = tensor(Int32Array.from(positive));
    return inBatchSoftmaxLoss(model.user.forward(users(everyone)), model.item.forward(items(positive)), { itemIds });
  },
  BPR: (model, random) => {
    const user = model.user.forward(users(everyone));
    const score = (list: readonly number[]) => pairScores(user, model.item.forward(items(list)));
    return bprLoss(
      score(everyone.map((u) => liked(u, random.integer(10)))),
      score(everyone.map(() => random.integer(numItems))),
    );
  },
  logistic: (model, random) => {
    const list = everyone.map(() => random.integer(numItems));
    const labels = tensor(list.map((item, user) => Number(tasteOf(item) === tasteOf(user))));
    return losses.binaryCrossEntropyWithLogits(model.forward(users(everyone), items(list)), labels);
  },
};

describe("TwoTower", () => {
  test.each(Object.keys(lossOf))("learns with the %s loss which items a user likes", (name) => {
    const model = create();
    const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.02 });
    const random = new Generator(1);
    expect(precision(model)).toBeLessThan(0.7);
    for (let step = 0; step < 80; step++) {
      scope(() => losses.meanLoss(lossOf[name]!(model, random)).backward());
      optimizer.step();
      optimizer.zeroGrad();
    }
    expect(precision(model)).toBeGreaterThan(0.95);
  });

  test("a tower is the means of its features' rows, then its layers", () => {
    const tower = seedScope(
      1,
      () => new Tower({ features: { id: { numRows: 3, embedDim: 2, paddingIdx: 2 } }, outDim: 2 }),
    );
    tower.bags[0]!.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 6],
        [0, 0],
      ]),
    });
    tower.layers[0]!.loadStateDict({
      weight: tensor([
        [1, 1],
        [1, -1],
      ]),
      bias: tensor([0, 10]),
    });
    expect(
      tower
        .forward({
          id: i32([
            [0, 1, 2],
            [1, 2, 2],
          ]),
        })
        .toArraySync(),
    ).toEqual([
      [6, 8],
      [9, 7],
    ]);
    const flat = { ids: tensor([0, 1, 1], { dtype: "i32" }), offsets: [0, 2] };
    expect(tower.forward({ id: flat }).toArraySync()).toEqual([
      [6, 8],
      [9, 7],
    ]);
  });

  test("padding in a list of ids changes nothing and gets no gradient", () => {
    const model = create();
    const country = i32([[1]]);
    expect(new Set(model.user.bags[0]!.weight.at(numItems).dataSync())).toEqual(new Set([0]));
    const short = model.user.forward({ history: i32([[4, 9]]), country });
    const filled = model.user.forward({ history: i32([[4, 9, numItems, numItems]]), country });
    expect([...filled.dataSync()]).toEqual([...short.dataSync()]);
    filled.square().sum().backward();
    const grad = model.user.bags[0]!.weight.grad!;
    expect([...grad.at(numItems).dataSync()].every((value) => value === 0)).toBe(true);
    expect([...grad.at(4).dataSync()].some((value) => value !== 0)).toBe(true);
  });

  test("weights go through a safetensors file and back", async () => {
    const [from, to] = [create(), seedScope(9, () => new TwoTower({ user: userTower, item: itemTower }))];
    const names = [...from.stateDict().keys()];
    expect(names).toEqual([
      ...["user.bags.0.weight", "user.bags.1.weight", "user.layers.0.weight", "user.layers.0.bias"],
      ...["user.layers.1.weight", "user.layers.1.bias"],
      ...["item.bags.0.weight", "item.bags.1.weight", "item.layers.0.weight", "item.layers.0.bias"],
    ]);
    to.loadStateDict(stateDictFromSafetensors(await stateDictToSafetensors(from.stateDict())));
    const scores = (model: TwoTower) => [...model.forward(users(everyone), items(everyone)).dataSync()];
    expect(scores(to)).toEqual(scores(from));
  });
});

describe("retrieval losses", () => {
  const u = tensor([
    [1, 0],
    [0, 2],
    [1, 1],
  ]);
  const v = tensor([
    [2, 1],
    [0, 1],
    [1, 0],
  ]);
  const scores = [
    [2, 0, 1],
    [2, 2, 0],
    [3, 1, 1],
  ];
  const softmaxLoss = (rows: readonly (readonly number[])[], own: readonly number[]) =>
    rows.reduce((sum, row, i) => sum + Math.log(row.reduce((t, s) => t + Math.exp(s), 0)) - own[i]!, 0);

  test("in-batch softmax is the cross-entropy of the diagonal", () => {
    const { sum, weight } = inBatchSoftmaxLoss(u, v);
    expect(weight).toBe(3);
    expect(sum.itemSync()).toBeCloseTo(softmaxLoss(scores, [2, 2, 1]), 5);
    const warm = scores.map((row) => row.map((score) => score / 0.5));
    expect(inBatchSoftmaxLoss(u, v, { temperature: 0.5 }).sum.itemSync()).toBeCloseTo(softmaxLoss(warm, [4, 4, 2]), 5);
  });

  test("another user's row with the same item is no wrong answer", () => {
    const itemIds = tensor([7, 3, 7], { dtype: "i32" });
    const kept = [
      [2, 0],
      [2, 2, 0],
      [1, 1],
    ];
    expect(inBatchSoftmaxLoss(u, v, { itemIds }).sum.itemSync()).toBeCloseTo(softmaxLoss(kept, [2, 2, 1]), 5);
  });

  test("BPR is the logarithm of 1 + e^-(difference), without overflow", () => {
    const { sum, weight } = bprLoss(tensor([2, -1]), tensor([0.5, 1]));
    expect(weight).toBe(2);
    expect(sum.itemSync()).toBeCloseTo(Math.log1p(Math.exp(-1.5)) + Math.log1p(Math.exp(2)), 5);
    expect(bprLoss(tensor([-500]), tensor([500])).sum.itemSync()).toBe(1000);
  });

  test("the best items come in the order of their scores, equal ones in their own", () => {
    const { values, indices } = topItems(u, v, 2);
    expect(values.toArraySync()).toEqual([
      [2, 1],
      [2, 2],
      [3, 1],
    ]);
    expect(indices.toArraySync()).toEqual([
      [0, 2],
      [0, 1],
      [0, 1],
    ]);
  });
});

describe("a recommender refuses", () => {
  const pair = (rows: number): Tensor => tensor(new Float32Array(2 * rows), { shape: [rows, 2] });
  test.each([
    {
      run: () => new TwoTower({ user: userTower, item: { ...itemTower, outDim: 7 } }),
      code: "E_MODEL_CONFIG",
      message: "TwoTower: user.outDim is 8 and item.outDim 7; they must be equal.",
    },
    {
      run: () => new TwoTower({ user: { features: {}, outDim: 8 }, item: itemTower }),
      code: "E_MODEL_CONFIG",
      message: "TwoTower: features are {}; there must be at least one.",
    },
    {
      run: () => new Tower({ features: { id: { numRows: 0, embedDim: 2 } }, outDim: 2 }),
      code: "E_MODEL_CONFIG",
      message: "Tower: features.id.numRows is 0; it must be a whole number of at least 1.",
    },
    {
      run: () => create().item.forward({ id: i32([[1]]) }),
      code: "E_SHAPE",
      message: "Tower: the features are id; they must be id, taste, each once.",
    },
    {
      run: () => create().item.forward({ id: i32([[1]]), taste: i32([[1], [2]]) }),
      code: "E_SHAPE",
      message: "Tower: features are of unlike batches, id 1, taste 2; they must be equal.",
    },
    {
      run: () => pairScores(pair(2), pair(3)),
      code: "E_SHAPE",
      message: "pairScores: users are [2,2] and items [3,2]; they must be equal.",
    },
    {
      run: () => inBatchSoftmaxLoss(pair(2), pair(2), { temperature: 0 }),
      code: "E_VALUE",
      message: "inBatchSoftmaxLoss: temperature is 0; it must be positive and finite.",
    },
    {
      run: () => bprLoss(tensor([1, 2]), tensor([1])),
      code: "E_SHAPE",
      message: "bprLoss: positive is [2] and negative [1]; they must be equal.",
    },
    {
      run: () => topItems(pair(2), pair(3), 4),
      code: "E_SHAPE",
      message: "topK: k is 4, but axis -1 of [2,3] has size 3; k must be a whole number in 0..3.",
    },
  ])("says: $message", ({ run, code, message }) => {
    expect(run).toThrow(expect.objectContaining({ code, message }));
  });
});
