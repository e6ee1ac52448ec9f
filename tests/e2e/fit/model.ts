import { nn, type Tensor } from "@lockstep/core";
import { compile } from "lockstep";

class Net extends nn.Module {
  hidden = new nn.Linear(2, 16);
  dropout = new nn.Dropout(0.2);
  head = new nn.Linear(16, 2);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.dropout.forward(this.hidden.forward(x).tanh()));
  }
}

export const spirals = compile({
  name: "spirals",
  module: import.meta.url,
  exportName: "spirals",
  model: () => new Net(),
  loss: "crossEntropy",
  optimizer: "adam",
  learningRate: 0.02,
  metrics: ["accuracy", "f1", "rocAuc"],
});
