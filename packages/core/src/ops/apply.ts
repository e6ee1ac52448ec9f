/** @file Runs contracts: checks through the shape rule, allocates, launches, records. The one path of every structural op and view. */
import { isGradEnabled } from "../autograd/grad-mode.js";
import { record } from "../autograd/tape-entry.js";
import { BackendError, OutOfMemoryError } from "../errors.js";
import { zerosLike } from "../tensor/create.js";
import { withMemoryContext } from "../tensor/memory-context.js";
import { Tensor } from "../tensor/tensor.js";
import type {
  InputLayout,
  NotDifferentiable,
  Op,
  StructuralContract,
  ViewContract,
  Vjp,
  VjpContext,
} from "./contract.js";

const NOTHING: readonly number[] = [];

export interface StructuralOp<A> extends Op {
  readonly contract: StructuralContract<A>;
  /** Visible outputs. */
  readonly apply: (inputs: readonly Tensor[], attrs: A) => readonly Tensor[];
}

export interface ViewOp<A> extends Op {
  readonly contract: ViewContract<A>;
  readonly apply: (input: Tensor, attrs: A) => readonly Tensor[];
}

export function defineStructural<A>(contract: StructuralContract<A>): StructuralOp<A> {
  const apply = (inputs: readonly Tensor[], attrs: A): readonly Tensor[] => {
    try {
      return applyStructural(contract, inputs, attrs);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      throw withMemoryContext(error, { op: contract.name, inputs, outputs: contract.shapeRule(inputs, attrs) });
    }
  };
  return { contract, apply, ...opOf(contract, (inputs, attrs) => apply(inputs, attrs)) };
}

export function defineView<A>(contract: ViewContract<A>): ViewOp<A> {
  const apply = (input: Tensor, attrs: A): readonly Tensor[] => {
    const outputs = contract.layoutRule(input, attrs).map((layout) => input.viewAs(layout));
    const inputs = [input];
    recordIfNeeded(contract, attrs, { inputs, prepared: inputs, outputs, visible: outputs });
    return outputs;
  };
  return { contract, apply, ...opOf(contract, (inputs, attrs) => apply(inputs[0]!, attrs)) };
}

function opOf<A>(
  contract: StructuralContract<A> | ViewContract<A>,
  call: (inputs: readonly Tensor[], attrs: A) => readonly Tensor[],
): Op {
  // The registry holds ops of unlike attributes; samples carry their own, so the pair always fits.
  return {
    name: contract.name,
    call: call as Op["call"],
    reference: contract.reference as Op["reference"],
    notDifferentiable: isDifferentiable(contract.vjp) ? undefined : contract.vjp.notDifferentiable,
    composite: contract.composite as Op["composite"],
    samples: contract.samples,
    reductionLength: (contract.reductionLength ?? (() => 1)) as Op["reductionLength"],
  };
}

function isDifferentiable<A>(vjp: Vjp<A> | NotDifferentiable): vjp is Vjp<A> {
  return !("notDifferentiable" in vjp);
}

function applyStructural<A>(contract: StructuralContract<A>, inputs: readonly Tensor[], attrs: A): readonly Tensor[] {
  const specs = contract.shapeRule(inputs, attrs);
  const backend = commonBackend(contract.name, inputs);
  const layout = contract.layout ?? "contiguous";
  const prepared = inputs.map((input) => (fits(input, layout) ? input : contiguousCopy(input)));
  const all = contract.savedRule === undefined ? specs : [...specs, ...contract.savedRule(backend, inputs, attrs)];
  const outputs = all.map((spec) => Tensor.allocate(backend, spec.shape, spec.dtype, spec.fidelity));
  contract.run(backend, prepared, outputs, attrs);
  const visible = contract.numVisible === undefined ? outputs : outputs.slice(0, contract.numVisible);
  recordIfNeeded(contract, attrs, { inputs, prepared, outputs, visible });
  for (let i = 0; i < inputs.length; i++) if (prepared[i] !== inputs[i]) prepared[i]!.dispose();
  for (let i = visible.length; i < outputs.length; i++) outputs[i]!.dispose();
  return visible;
}

/** Checks before anything is allocated. @throws {BackendError} E_BACKEND naming both; {StateError} E_DISPOSED. */
export function commonBackend(where: string, inputs: readonly Tensor[]): Tensor["backend"] {
  const backend = inputs[0]!.backend;
  for (let i = 0; i < inputs.length; i++) inputs[i]!.assertAlive();
  for (let i = 1; i < inputs.length; i++) {
    if (inputs[i]!.backend !== backend) {
      throw new BackendError(
        `${where}: input 0 is on the backend "${backend.name}" and input ${i} on another, "${inputs[i]!.backend.name}"; all inputs must be on one. Create them inside one withBackend.`,
        { first: backend.name, other: inputs[i]!.backend.name, input: i },
      );
    }
  }
  return backend;
}

/** A copy in row-major order, not recorded. */
export function contiguousCopy(input: Tensor): Tensor {
  const out = Tensor.allocate(input.backend, input.shape, input.dtype);
  input.backend.kernels.copy(input, out);
  return out;
}

function fits(input: Tensor, layout: InputLayout): boolean {
  if (input.isContiguous || layout === "any") return true;
  if (layout === "contiguous") return false;
  const { shape, strides } = input;
  const last = shape.length - 1;
  if (strides[last] === 1 && strides[last - 1] !== 0) return true;
  return layout === "unitRow" && strides[last - 1] === 1 && strides[last] !== 0;
}

interface Launch {
  readonly inputs: readonly Tensor[];
  /** The inputs as the kernel read them: contiguous copies where it asked for them. */
  readonly prepared: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly visible: readonly Tensor[];
}

function recordIfNeeded<A>(
  { name, vjp }: StructuralContract<A> | ViewContract<A>,
  attrs: A,
  { inputs, prepared, outputs, visible }: Launch,
): void {
  if (!isGradEnabled() || !isDifferentiable(vjp)) return;
  const needs = inputs.map((input) => input.requiresGrad);
  if (!needs.includes(true)) return;
  const saves = typeof vjp.saves === "function" ? vjp.saves(outputs, inputs.length) : vjp.saves;
  const savedInputs = saves?.inputs ?? NOTHING;
  const savedOutputs = saves?.outputs ?? NOTHING;
  const saved = [
    ...savedInputs.map((i) => ({ tensor: prepared[i]!, place: i })),
    ...savedOutputs.map((i) => ({ tensor: outputs[i]!, place: -1 - i })),
  ];
  const inputShapes = inputs.map((input) => input.shape);
  const visibleSpecs = visible.map(({ shape, dtype, backend }) => ({ shape, dtype, backend }));
  record(name, inputs, visible, {
    saved,
    backward: (kept, cotangents) => {
      const context: VjpContext<A> = {
        inputs: scatter(savedInputs, kept, 0),
        outputs: scatter(savedOutputs, kept, savedInputs.length),
        inputShapes,
        attrs,
        needs,
      };
      // Not cotangents.map: the list ends with the last output that was reached, and has holes.
      const full = visibleSpecs.map((spec, i) => cotangents[i] ?? zerosLike(spec));
      return vjp.pull(context, ...full);
    },
  });
}

function scatter(positions: readonly number[], kept: readonly Tensor[], start: number): Tensor[] {
  const out: Tensor[] = [];
  for (let i = 0; i < positions.length; i++) out[positions[i]!] = kept[start + i]!;
  return out;
}
