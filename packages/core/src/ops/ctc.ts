/**
 * @file ctc: minus the log of the probability of all alignments of a target with the frames of its row.
 * Legend: T frames, B batch, C classes, L labels of the longest target.
 */
import { DTypeError, ShapeError } from "../errors.js";
import { hostExp, hostLog } from "../expr/host-math.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { i32Values, normal } from "./samples.js";

export interface CtcAttrs {
  /** Class that stands for no label. */
  readonly blank: number;
}

/** Inputs logProbs [T, B, C], targets [B, L], inputLengths [B], targetLengths [B] (i32); output the loss of each row, Infinity where no alignment is possible. */
export const ctcOp: StructuralOp<CtcAttrs> = defineStructural<CtcAttrs>({
  name: "ctc",
  shapeRule: ([logProbs, targets, inputLengths, targetLengths]) => {
    checkCtc({ logProbs: logProbs!, targets: targets!, inputLengths: inputLengths!, targetLengths: targetLengths! });
    return [{ shape: [logProbs!.shape[1]!], dtype: "f32" }];
  },
  reference: (inputs, attrs) => [ctcReference(inputs, attrs)],
  run: (backend, [logProbs, targets, inputLengths, targetLengths], [loss], { blank }) =>
    backend.kernels.ctc(
      { logProbs: logProbs!, targets: targets!, inputLengths: inputLengths!, targetLengths: targetLengths! },
      blank,
      loss!,
    ),
  vjp: {
    saves: { inputs: [0, 1, 2, 3] },
    pull: ({ inputs: [logProbs, targets, inputLengths, targetLengths], attrs: { blank } }, dOut) => {
      const dLoss = asContiguous(dOut);
      const given = {
        logProbs: logProbs!,
        targets: targets!,
        inputLengths: inputLengths!,
        targetLengths: targetLengths!,
      };
      return runBackwardKernel(
        "ctcBackward",
        { inputs: [dLoss, logProbs!], outputs: [logProbs!] },
        (backend, [dLogProbs]) => backend.kernels.ctcBackward(given, blank, dLoss, dLogProbs!),
      );
    },
  },
  reductionLength: ([logProbs]) => logProbs![0]!,
  samples: [
    {
      name: "repeated labels, unequal lengths",
      inputs: [
        normal([7, 4, 5], -1.5),
        i32Values([1, 1, 2, 4, 3, 4, 2, 2, 2, 1, -9, 99], [4, 3]),
        i32Values([7, 4, 5, 6]),
        i32Values([3, 2, 3, 1]),
      ],
      attrs: { blank: 0 },
    },
    {
      name: "blank in the middle, empty targets",
      inputs: [
        normal([3, 3, 3], -1),
        i32Values([0, 2, 0, 2, 0, 2], [3, 2]),
        i32Values([3, 2, 0]),
        i32Values([2, 0, 0]),
      ],
      attrs: { blank: 1 },
    },
    {
      name: "no alignment",
      inputs: [normal([3, 2, 4], -1), i32Values([2, 2, 1, 2, 3, 0], [2, 3]), i32Values([2, 3]), i32Values([2, 3])],
      attrs: { blank: 0 },
      checkVjp: false,
    },
    {
      name: "many frames",
      inputs: [
        normal([40, 2, 6], -3),
        i32Values([1, 2, 3, 4, 5, 1, 2, 2], [2, 4]),
        i32Values([40, 33]),
        i32Values([4, 3]),
      ],
      attrs: { blank: 0 },
    },
    {
      name: "no labels at all",
      inputs: [normal([2, 1, 3], -1), i32Values([], [1, 0]), i32Values([2]), i32Values([0])],
      attrs: { blank: 2 },
    },
  ],
});

function checkCtc(
  inputs: Readonly<Record<"logProbs" | "targets" | "inputLengths" | "targetLengths", TensorSpec>>,
): void {
  const { logProbs, targets } = inputs;
  for (const [name, { dtype }] of Object.entries(inputs)) {
    const wanted = name === "logProbs" ? "f32" : "i32";
    if (dtype !== wanted)
      throw new DTypeError(`ctcLoss: ${name} is ${dtype}; it must be ${wanted}.`, { [name]: dtype });
  }
  const B = logProbs.shape[1]!;
  if (logProbs.shape.length !== 3 || targets.shape.length !== 2 || targets.shape[0] !== B || logProbs.shape[2] === 0) {
    throw new ShapeError(
      `ctcLoss: logProbs are ${formatShape(logProbs.shape)} and targets ${formatShape(targets.shape)}; they must be [T,B,C] with at least one class, and [B,L].`,
      { logProbs: logProbs.shape, targets: targets.shape },
    );
  }
  for (const name of ["inputLengths", "targetLengths"] as const) {
    if (shapesEqual(inputs[name].shape, [B])) continue;
    throw new ShapeError(
      `ctcLoss: ${name} are ${formatShape(inputs[name].shape)}, but logProbs are ${formatShape(logProbs.shape)}; they must be ${formatShape([B])}, one for each row.`,
      { [name]: inputs[name].shape, logProbs: logProbs.shape },
    );
  }
}

/** In probabilities instead of logarithms: what leads to each state of the target, frame after frame. */
function ctcReference(inputs: readonly ReferenceArray[], { blank }: CtcAttrs): ReferenceArray {
  const [logProbs, targets, inputLengths, targetLengths] = inputs as [
    ReferenceArray,
    ReferenceArray,
    ReferenceArray,
    ReferenceArray,
  ];
  const [, B, C] = logProbs.shape as [number, number, number];
  const values = new Float64Array(B).map((_, b) => {
    const labels = targets.values.subarray(b * targets.shape[1]!).subarray(0, targetLengths.values[b]!);
    const states = [blank, ...Array.from(labels).flatMap((label) => [label, blank])];
    // Before the first frame all paths stand in front of the first state.
    let reached = states.map(() => 0);
    for (let t = 0; t < inputLengths.values[b]!; t++) {
      const before = reached;
      reached = states.map((state, s) => {
        const start = t === 0 && s < 2 ? 1 : 0;
        const skip = s > 1 && state !== states[s - 2] ? before[s - 2]! : 0;
        const arriving = start + before[s]! + (before[s - 1] ?? 0) + skip;
        return arriving * hostExp(logProbs.values[(t * B + b) * C + state]!);
      });
    }
    const total =
      inputLengths.values[b] === 0 ? (labels.length === 0 ? 1 : 0) : reached.at(-1)! + (reached.at(-2) ?? 0);
    return total === 0 ? Infinity : 0 - hostLog(total);
  });
  return { shape: [B], values };
}
