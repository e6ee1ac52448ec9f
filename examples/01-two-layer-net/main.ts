/**
 * A two-layer net, trained by plain gradient descent, twice from the same weights: with the classic hand-written update, which leaves
 * the derivative of the output's tanh out, and with the true gradient of the squared error.
 */
import { fileURLToPath } from "node:url";
import { nn, optim, seedScope, type Tensor, tensor } from "@lockstep/core";

export class TwoLayerNet extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;

  constructor(inDim: number, hiddenDim: number, outDim: number) {
    super();
    this.fc1 = new nn.Linear(inDim, hiddenDim);
    this.fc2 = new nn.Linear(hiddenDim, outDim);
    for (const layer of [this.fc1, this.fc2]) {
      nn.init.normal(layer.weight);
      nn.init.zeros(layer.bias!);
    }
  }

  /** Before the output's tanh. */
  sums(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x).tanh()); // [B, inDim] -> [B, outDim]
  }

  forward(x: Tensor): Tensor {
    return this.sums(x).tanh();
  }
}

export type Variant = "classic" | "true gradient";

/** What is minimised. Its gradient at the sums is `output - y` (classic) or `(output - y) (1 - output^2)` (true). */
export function lossOf(net: TwoLayerNet, x: Tensor, y: Tensor, variant: Variant): Tensor {
  const sums = net.sums(x);
  const error = sums.tanh().sub(y);
  if (variant === "true gradient") return error.mul(error).mul(0.5).sum();
  return error.detach().mul(sums).sum(); // a linear function of the sums whose slope is the error
}

export function train(net: TwoLayerNet, x: Tensor, y: Tensor, steps: number, variant: Variant): void {
  const optimizer = new optim.Sgd(net.parameters(), { learningRate: 0.01 });
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    lossOf(net, x, y, variant).backward();
    optimizer.step();
  }
}

/** Exclusive or, with -1 for no and 1 for yes. */
export const inputs = [
  [-1, -1],
  [-1, 1],
  [1, -1],
  [1, 1],
];
export const targets = [[-1], [1], [1], [-1]];

async function main(): Promise<void> {
  for (const variant of ["classic", "true gradient"] as const) {
    const net = seedScope(1, () => new TwoLayerNet(2, 8, 1));
    const [x, y] = [tensor(inputs), tensor(targets)];
    const squaredError = async () => (await lossOf(net, x, y, "true gradient").item()).toFixed(4);
    const before = await squaredError();
    train(net, x, y, 1_000, variant);
    const outputs = (await net.forward(x).toArray()) as number[][];
    console.log(`${variant}: squared error ${before} -> ${await squaredError()}`);
    for (const [i, row] of inputs.entries())
      console.log(`  ${row.join(", ").padEnd(6)} -> ${outputs[i]![0]!.toFixed(3)}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
