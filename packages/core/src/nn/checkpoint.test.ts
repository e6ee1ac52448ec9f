import { expect, test } from "vitest";
import {
  createCpuBackend,
  microBatchScope,
  nn,
  noGrad,
  scope,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "../index.js";

/** Attention and an MLP with dropout, as a block of a transformer. */
class Block extends nn.Module {
  norm = new nn.LayerNorm(8);
  up = new nn.Linear(8, 32);
  dropout = new nn.Dropout(0.5);
  down = new nn.Linear(32, 8);
  forward(x: Tensor): Tensor {
    return x.add(this.down.forward(this.dropout.forward(this.up.forward(this.norm.forward(x)).gelu())));
  }
}

class Net extends nn.Module {
  blocks = [new Block(), new Block(), new Block()];
  readonly isCheckpointed: boolean;
  constructor(isCheckpointed: boolean) {
    super();
    this.isCheckpointed = isCheckpointed;
  }
  forward(input: Tensor): Tensor {
    let x = input;
    for (const block of this.blocks) x = this.isCheckpointed ? nn.checkpoint(block, x) : block.forward(x);
    return x;
  }
}

const numRows = 64;

function train(isCheckpointed: boolean) {
  const backend = createCpuBackend();
  return withBackend(backend, () => {
    const net = seedScope(3, () => new Net(isCheckpointed));
    const input = tensor(
      new Float32Array(numRows * 8).map((_, i) => Math.sin(i)),
      { shape: [numRows, 8] },
    );
    input.requiresGrad = true;
    noGrad(() => scope(() => void net.forward(input))); // what kernels keep for themselves is there from here on
    const before = backend.memory().usedBytes;
    const numBefore = backend.memory().numBuffers;
    const ready: string[] = [];
    const nameOf = new Map(net.namedParameters().map(([name, parameter]) => [parameter as Tensor, name]));
    const result = microBatchScope({ seed: 1, step: 2, m: 3 }, () => {
      const y = net.forward(input);
      const kept = backend.memory().usedBytes - before;
      y.mul(y)
        .sum()
        .backward({ onGradReady: (leaf) => ready.push(nameOf.get(leaf) ?? "input") });
      return { output: [...y.dataSync()], kept };
    });
    const gradients = [input, ...net.parameters()].map(({ grad }) => [...grad!.dataSync()]);
    const numLeft = backend.memory().numBuffers - numBefore - (1 + net.parameters().length);
    backend.dispose();
    return { ...result, gradients, ready, numLeft };
  });
}

test("a checkpointed module gives the bits that it gives without, dropout included, and keeps less", () => {
  const [plain, checkpointed] = [train(false), train(true)];
  expect(checkpointed.output).toEqual(plain.output);
  expect(checkpointed.gradients).toEqual(plain.gradients);
  expect([...checkpointed.ready].sort()).toEqual([...plain.ready].sort());
  expect(checkpointed.kept).toBeLessThan(plain.kept / 4);
  expect([plain.numLeft, checkpointed.numLeft]).toEqual([0, 0]);
});

test("gradients that were there before stay, and those of the module are added", () => {
  const layer = new nn.Linear(2, 1);
  const x = tensor([[1, 2]]);
  nn.checkpoint(layer, x).sum().backward();
  nn.checkpoint(layer, x).sum().backward();
  expect(layer.weight.grad!.toArraySync()).toEqual([[2, 4]]);
});

test("without recording it is the module alone", () => {
  const layer = new nn.Linear(2, 1);
  expect(noGrad(() => nn.checkpoint(layer, tensor([[1, 2]]))).requiresGrad).toBe(false);
});

test("running statistics and second derivatives are refused", () => {
  const norm = new nn.BatchNorm1d(2);
  expect(() =>
    nn.checkpoint(
      norm,
      tensor([
        [1, 2],
        [3, 5],
      ]),
    ),
  ).toThrowError(/keeps running statistics/);
  const layer = new nn.Linear(2, 1);
  const y = nn.checkpoint(layer, tensor([[1, 2]])).sum();
  expect(() => y.backward({ createGraph: true })).toThrowError(/gradient of a gradient/);
});
