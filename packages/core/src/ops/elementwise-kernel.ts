/**
 * @file Launching and recording scalar expressions on tensors with broadcasting. Gradients are derived: the vjp of a kernel is
 * again a kernel, whose inputs are what the derivative reads of inputs, outputs and cotangents.
 *
 * Numbering of inputs in a vjp before compaction: n inputs, then J outputs, then J cotangents.
 */
import { isGradEnabled } from "../autograd/grad-mode.js";
import { record, type SavedTensor } from "../autograd/tape-entry.js";
import type { TensorView } from "../backend/backend.js";
import { addSimple, derivative, mulSimple } from "../expr/derivative.js";
import { constant, type Expr, input } from "../expr/expr.js";
import { type ElementwiseProgram, elementwiseProgram } from "../expr/program.js";
import { inputsRead, rewrite } from "../expr/rewrite.js";
import { zerosLike } from "../tensor/create.js";
import type { DType } from "../tensor/dtype.js";
import { withMemoryContext } from "../tensor/memory-context.js";
import { broadcastShapes, broadcastStrides, type Shape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { commonBackend } from "./apply.js";
import { sumTo } from "./expand-sum.js";

/** How the cotangent of one input is found: nothing, the cotangent of the only output as it is, or an output of the vjp kernel. */
type Pull = "none" | "same" | number;

interface VjpPlan {
  readonly kernel: ElementwiseKernel | undefined;
  /** Positions, in the numbering above, of what the vjp kernel reads. */
  readonly read: readonly number[];
  readonly pulls: readonly Pull[];
}

export class ElementwiseKernel {
  readonly program: ElementwiseProgram;
  readonly #plans = new Map<string, VjpPlan>();

  constructor(name: string, inputs: readonly DType[], outputs: readonly Expr[], numScalars: number) {
    this.program = elementwiseProgram(name, inputs, outputs, numScalars);
  }

  /** Applies the expressions to broadcast inputs. Dtypes must be those of the program; shapes are checked here. */
  apply(inputs: readonly Tensor[], scalars: readonly number[]): readonly Tensor[] {
    try {
      return this.#run(inputs, scalars);
    } catch (error) {
      throw withMemoryContext(error, { op: this.program.name, inputs });
    }
  }

  #run(inputs: readonly Tensor[], scalars: readonly number[]): readonly Tensor[] {
    const { program } = this;
    const backend = commonBackend(program.name, inputs);
    let shape: Shape = inputs[0]!.shape;
    for (let i = 1; i < inputs.length; i++) shape = broadcastShapes(program.name, shape, inputs[i]!.shape);
    const outputs = program.outputs.map((e) => Tensor.allocate(backend, shape, e.dtype as DType));
    backend.elementwise(
      program,
      inputs.map((tensor) => broadcastView(tensor, shape)),
      scalars,
      outputs,
    );
    if (isGradEnabled() && inputs.some((tensor) => tensor.requiresGrad)) this.#record(inputs, scalars, outputs);
    return outputs;
  }

  /** Puts into the tape what another kernel computed in the place of `apply`: the backward pass is that of `apply`. */
  recordComputed(inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
    if (isGradEnabled() && inputs.some((tensor) => tensor.requiresGrad)) this.#record(inputs, [], outputs);
  }

  #record(inputs: readonly Tensor[], scalars: readonly number[], outputs: readonly Tensor[]): void {
    const plan = this.#planFor(inputs);
    if (plan.pulls.every((pull) => pull === "none")) return;
    const n = inputs.length;
    const saved: SavedTensor[] = [];
    for (const position of plan.read) {
      if (position < n) saved.push({ tensor: inputs[position]!, place: position });
      else if (position < n + outputs.length) saved.push({ tensor: outputs[position - n]!, place: n - 1 - position });
    }
    const shapes = inputs.map((tensor) => tensor.shape);
    const numOutputs = outputs.length;
    record(this.program.name, inputs, outputs, {
      saved,
      backward: (kept, cotangents) =>
        pullBack({ plan, kept, cotangents, scalars, shapes, firstCotangent: n + numOutputs }),
    });
  }

  #planFor(inputs: readonly Tensor[]): VjpPlan {
    let key = "";
    for (const tensor of inputs) key += tensor.requiresGrad ? "1" : "0";
    let plan = this.#plans.get(key);
    if (plan === undefined) {
      plan = planVjp(
        this.program,
        inputs.map((tensor) => tensor.requiresGrad),
      );
      this.#plans.set(key, plan);
    }
    return plan;
  }
}

interface PullBack {
  readonly plan: VjpPlan;
  readonly kept: readonly Tensor[];
  readonly cotangents: readonly (Tensor | undefined)[];
  readonly scalars: readonly number[];
  readonly shapes: readonly Shape[];
  readonly firstCotangent: number;
}

function pullBack({ plan, kept, cotangents, scalars, shapes, firstCotangent }: PullBack): (Tensor | undefined)[] {
  const known = cotangents.find((cotangent) => cotangent !== undefined)!;
  let numKept = 0;
  const operands = plan.read.map((position) => {
    if (position < firstCotangent) return kept[numKept++]!;
    return cotangents[position - firstCotangent] ?? zerosLike(known);
  });
  const results = plan.kernel?.apply(operands, scalars);
  return plan.pulls.map((pull, i) => {
    if (pull === "none") return undefined;
    return sumTo(pull === "same" ? known : results![pull]!, shapes[i]!);
  });
}

function planVjp(program: ElementwiseProgram, needs: readonly boolean[]): VjpPlan {
  const n = program.inputs.length;
  const numOutputs = program.outputs.length;
  const cotangents = program.outputs.map((_, j) => input(n + numOutputs + j));
  // A subexpression that is an output is read from the saved output instead of being computed again.
  const useOutputs = (e: Expr): Expr =>
    rewrite(e, (node) => {
      const j = node.kind === "input" || node.kind === "const" ? -1 : program.outputs.indexOf(node);
      return j < 0 ? undefined : input(n + j, node.dtype as DType);
    });
  const pulls: Pull[] = [];
  const outputs: Expr[] = [];
  for (let i = 0; i < n; i++) {
    if (!needs[i] || program.inputs[i] !== "f32") {
      pulls.push("none");
      continue;
    }
    let total = constant(0);
    program.outputs.forEach((e, j) => {
      if (e.dtype === "f32") total = addSimple(total, mulSimple(cotangents[j]!, useOutputs(derivative(e, i))));
    });
    if (total.kind === "const" && total.value === 0) pulls.push("none");
    else if (numOutputs === 1 && total === cotangents[0]) pulls.push("same");
    else pulls.push(outputs.push(total) - 1);
  }
  if (outputs.length === 0) return { kernel: undefined, read: [], pulls };
  return { ...compact(program, outputs), pulls };
}

/** Renumbers the inputs that `outputs` read to 0, 1, ... and makes a kernel of them. */
function compact(program: ElementwiseProgram, outputs: readonly Expr[]): Pick<VjpPlan, "kernel" | "read"> {
  const read = inputsRead(outputs);
  const dtypes: DType[] = [];
  const place = (node: Expr): Expr | undefined => {
    if (node.kind !== "input") return undefined;
    const position = read.indexOf(node.index);
    dtypes[position] = node.dtype;
    return input(position, node.dtype);
  };
  const renamed = outputs.map((e) => rewrite(e, place));
  return { kernel: new ElementwiseKernel(`${program.name}Backward`, dtypes, renamed, program.numScalars), read };
}

/** `tensor` read as if it had `shape`. */
export function broadcastView(tensor: Tensor, shape: Shape): TensorView {
  if (shapesEqual(tensor.shape, shape)) return tensor;
  const { buffer, offset, dtype } = tensor;
  return { buffer, offset, dtype, shape, strides: broadcastStrides(tensor.shape, tensor.strides, shape) };
}
