/** @file The host side of ctc: temporary memory and launches. Legend: T frames, B batch, C classes, L labels, S states. */
import type { TensorView } from "@lockstep/core";
import type { CtcInputs, KernelTable } from "@lockstep/core/backend";
import type { KernelHost } from "../launch/kernel.js";
import { copyRows } from "./copy.js";
import { ctcFor } from "./ctc-kernels.js";

function sizesOf({ logProbs, targets }: CtcInputs, blank: number) {
  const [frames = 0, batch = 0, classes = 0] = logProbs.shape;
  const labels = targets.shape[1] ?? 0;
  return { frames, batch, classes, labels, states: 2 * labels + 1, blank };
}

function forward(host: KernelHost, inputs: CtcInputs, { blank, loss }: { blank: number; loss: TensorView }): void {
  const sizes = sizesOf(inputs, blank);
  if (sizes.batch === 0) return;
  host.withTemporary([sizes.batch, 2, sizes.states], "f32", (alphas) => {
    host.launch(ctcFor(sizes.states).forward, { ...inputs, alphas, loss }, sizes, { groups: sizes.batch });
  });
}

interface Backward {
  readonly blank: number;
  readonly dLoss: TensorView;
  readonly dLogProbs: TensorView;
}

function backward(host: KernelHost, inputs: CtcInputs, { blank, dLoss, dLogProbs }: Backward): void {
  const sizes = sizesOf(inputs, blank);
  const { batch, frames, states } = sizes;
  copyRows(host).fill(dLogProbs, 0);
  if (batch * frames === 0) return;
  const betasStart = batch * frames * states;
  const sharesStart = betasStart + batch * 2 * states;
  host.withTemporary([sharesStart + batch * states], "f32", (temporary) => {
    host.withTemporary([batch, states], "i32", (chain) => {
      const operands = { ...inputs, dLoss, temporary, chain, dLogProbs };
      const params = { ...sizes, betasStart, sharesStart };
      host.launch(ctcFor(states).backward, operands, params, { groups: batch });
    });
  });
}

export function ctcRows(host: KernelHost) {
  return {
    ctc: (inputs, blank, loss) => forward(host, inputs, { blank, loss }),
    ctcBackward: (inputs, blank, dLoss, dLogProbs) => backward(host, inputs, { blank, dLoss, dLogProbs }),
  } satisfies Partial<KernelTable>;
}
