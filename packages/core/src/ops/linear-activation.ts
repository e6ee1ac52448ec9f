/**
 * @file An activation of a linear map in one kernel: f(x W^T + b). Legend: N flattened rows, K inputs,
 * O outputs.
 */
import { ValueError } from "../errors.js";
import { input } from "../expr/expr.js";
import { Tensor } from "../tensor/tensor.js";
import { geluOp, reluOp, sigmoidOp, siluOp } from "./activations.js";
import { commonBackend, defineStructural } from "./apply.js";
import type { Op, ReferenceArray, TensorSpec } from "./contract.js";
import type { ElementwiseOp } from "./elementwise.js";
import { ElementwiseKernel } from "./elementwise-kernel.js";
import { asRows, asRowsOf, linear, linearOp, transposedWeight } from "./linear.js";
import { tanhOp } from "./math.js";
import { normal } from "./samples.js";

interface Activation {
  readonly apply: (z: Tensor) => Tensor;
  readonly reference: (z: ReferenceArray) => ReferenceArray;
  /** What `apply` launches. */
  readonly kernel: ElementwiseKernel;
}

function activationOf<const A>(op: ElementwiseOp<A>, attrs: A): Activation {
  return {
    apply: (z) => op.apply([z], attrs),
    reference: (z) => op.reference([z], attrs)[0]!,
    kernel: new ElementwiseKernel(op.name, ["f32"], [op.contract.expr([input(0)], attrs)], 0),
  };
}

const activations = {
  relu: activationOf(reluOp, undefined),
  gelu: activationOf(geluOp, { approximate: "none" }),
  geluTanh: activationOf(geluOp, { approximate: "tanh" }),
  silu: activationOf(siluOp, undefined),
  sigmoid: activationOf(sigmoidOp, undefined),
  tanh: activationOf(tanhOp, undefined),
} as const;

/** "geluTanh": gelu in its tanh form. */
export type LinearActivation = keyof typeof activations;
const names = Object.keys(activations) as LinearActivation[];

/** The activation of a tensor that is there. @shape any -> same @source none: ours */
export function activate(z: Tensor, activation: LinearActivation): Tensor {
  return activations[activation].apply(z);
}

interface Attrs {
  readonly activation: LinearActivation;
}

/** linear, whose kernel writes f(z) to `out` beside its own output z. Inputs x [N, K], weight [O, K] and perhaps bias [O]. */
const linearInto = defineStructural<Attrs & { readonly out: Tensor }>({
  ...linearOp.contract,
  name: "linearActivation",
  reference: (inputs) => linearOp.contract.reference(inputs, undefined),
  samples: [],
  run: (backend, [x, weight, bias], [z], { activation, out }) => {
    const epilogue = { program: activations[activation].kernel.program, input: z! };
    backend.kernels.matmul(x!, transposedWeight(weight!), out, bias === undefined ? { epilogue } : { bias, epilogue });
  },
});

/** f(z) [N, O]. The tape holds what it holds after the two ops, so that a backward pass does the same in the same memory. */
function applyFused(inputs: readonly Tensor[], { activation }: Attrs): Tensor {
  if (!Object.hasOwn(activations, activation)) {
    throw new ValueError(
      `linearActivation: activation is ${JSON.stringify(activation)}; it must be one of ${names.join(", ")}. Apply others to the result of linear.`,
      { activation },
    );
  }
  const [{ shape, dtype }] = linearOp.contract.shapeRule(inputs, undefined) as [TensorSpec];
  const out = Tensor.allocate(commonBackend("linearActivation", inputs), shape, dtype);
  const [z] = linearInto.apply(inputs, { activation, out });
  activations[activation].kernel.recordComputed([z!], [out]);
  return out;
}

export const linearActivationOp = {
  name: "linearActivation",
  call: (inputs, attrs) => [applyFused(inputs as readonly Tensor[], attrs as Attrs)],
  reference: (inputs, attrs) => {
    const [z] = linearOp.contract.reference(inputs as readonly ReferenceArray[], undefined);
    return [activations[(attrs as Attrs).activation].reference(z!)];
  },
  notDifferentiable: undefined,
  reductionLength: ([x]) => x![1]!,
  composite: ([x, weight, bias], attrs) => [activate(linear(x!, weight!, bias), (attrs as Attrs).activation)],
  samples: [
    ...names.map((activation) => ({
      name: `${activation}, odd sizes`,
      inputs: [normal([7, 5]), normal([3, 5]), normal([3])],
      attrs: { activation },
    })),
    {
      name: "larger than a tile",
      inputs: [normal([67, 130]), normal([45, 130]), normal([45])],
      attrs: { activation: "geluTanh" },
      checkVjp: false,
    },
    {
      name: "rows and columns in fours",
      inputs: [normal([36, 12]), normal([40, 12]), normal([40])],
      attrs: { activation: "relu" },
      checkVjp: false,
    },
    { name: "without bias", inputs: [normal([4, 9]), normal([17, 9])], attrs: { activation: "tanh" } },
    { name: "few columns", inputs: [normal([9, 4]), normal([2, 4]), normal([2])], attrs: { activation: "silu" } },
    { name: "no rows", inputs: [normal([0, 4]), normal([3, 4]), normal([3])], attrs: { activation: "relu" } },
  ],
} as const satisfies Op;

/**
 * An activation of x W^T + bias, in one kernel where the backend has one. Bits and gradients are those of the activation of `linear`.
 * @shape x [..., K], weight [O, K], bias [O] -> [..., O]
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE, {ValueError} E_VALUE for an activation that is none of them
 * @source none: ours; the functions are torch.nn.functional's relu, gelu (geluTanh: approximate="tanh"), silu, sigmoid, tanh
 */
export function linearActivation(
  x: Tensor,
  { weight, bias }: { readonly weight: Tensor; readonly bias?: Tensor | undefined },
  activation: LinearActivation,
): Tensor {
  const inputs = [asRows(x), weight, ...(bias === undefined ? [] : [bias])];
  return asRowsOf(x, applyFused(inputs, { activation }));
}
