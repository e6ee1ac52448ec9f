/** @file The network, and how it is trained: what the job and fit have in common. Legend: B batch, K features. */
import { losses, nn, optim, schedules, type Tensor } from "@lockstep/core";

export interface MovieNetConfig {
  readonly numFeatures: number;
  /** Of the hidden layer. */
  readonly width: number;
  readonly dropout: number;
}

/**
 * One wide hidden layer with dropout.
 *
 * @shape x [B, K] -> [B]
 */
export class MovieNet extends nn.Module {
  body: nn.Sequential;

  constructor({ numFeatures, width, dropout }: MovieNetConfig) {
    super();
    this.body = new nn.Sequential(
      new nn.Linear(numFeatures, width),
      new nn.Relu(),
      new nn.Dropout(dropout),
      new nn.Linear(width, 1),
    );
  }

  forward(x: Tensor): Tensor {
    return this.body.forward(x).squeeze(1);
  }
}

/** A pass over the training part is 35 steps; 25 of them. */
export const training = { batchSize: 64, microBatchSize: 8, epochs: 25 };

export const defaults = { width: 512, dropout: 0.5, learningRate: 2e-3, weightDecay: 0.1 };

/** A movie that earned almost nothing is far off in logarithms; Huber pulls less at it than squares do. */
export const movieLoss = (outputs: Tensor, targets: Tensor) => losses.huberLoss(outputs, targets);

export const movieOptimizer = (model: MovieNet, weightDecay: number) =>
  new optim.AdamW(model.parameters(), { weightDecay });

export const movieSchedule = (learningRate: number, totalSteps: number) =>
  schedules.cosine({ from: learningRate, to: 0, steps: totalSteps });
