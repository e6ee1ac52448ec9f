/**
 * @file What a model is made of, as a table. A forward pass in evaluation, without a tape, tells the shapes; hooks listen to it, and
 * everything is put back afterwards.
 */
import { noGrad } from "../autograd/grad-mode.js";
import { withBackend } from "../backend/current-backend.js";
import { ValueError } from "../errors.js";
import { zeros } from "../tensor/create.js";
import { bytesPerElement } from "../tensor/dtype.js";
import { scope } from "../tensor/scope.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { hookAfter } from "./forward-hooks.js";
import type { Module } from "./module.js";

export interface SummaryRow {
  /** As `namedModules` writes it; "" is the model. */
  readonly name: string;
  /** Name of the class. */
  readonly layer: string;
  /** Shapes of the tensors that the last call of `forward` gave; undefined when it was not called. */
  readonly outputShapes: readonly Shape[] | undefined;
  /** Of parameters in the module itself, not in submodules; a tied one is counted where it stands first. */
  readonly numParameters: number;
  readonly numTrainable: number;
  /** Of the same parameters and of the module's buffers. */
  readonly bytes: number;
}

export interface ModelSummary {
  readonly rows: readonly SummaryRow[];
  readonly numParameters: number;
  readonly numTrainable: number;
  /** Of all parameters and buffers: what a replica keeps, gradients and optimizer state aside. */
  readonly bytes: number;
  /** The table. */
  toString(): string;
}

/** Any model: what `forward` takes is up to it. */
export type SummarizedModel = Module & { forward(...inputs: never[]): unknown };

/**
 * The layers of a model with the shapes they put out, their parameters and bytes. `String(summary)` is a table to print.
 *
 * Runs one forward pass in evaluation mode and without a tape, and puts the mode of every module back.
 *
 * @param input the shape of the one input, which is then f32 zeros; or the list of all inputs of `forward`, in which a shape stands for
 *   zeros and everything else is passed on as it is: tensors, ids, options
 * @shape those of the model
 * @throws {ValueError} E_VALUE for an input that is no shape and no list. Whatever the model throws for its inputs.
 * @source none: ours (torchinfo is the nearest)
 * @example
 * const { rows, numParameters } = nn.summary(new nn.Sequential(new nn.Linear(4, 8), new nn.Relu()), [2, 4]);
 * [rows.map((row) => row.layer), rows[1].outputShapes, numParameters]; // => [["Sequential", "Linear", "Relu"], [[2, 8]], 40]
 */
export function summary(model: SummarizedModel, input: Shape | readonly unknown[]): ModelSummary {
  const shapes = outputShapesOf(model, input);
  const own = ownTensors(model);
  const rows = model.namedModules().map(([name, module]): SummaryRow => {
    const { parameters, buffers } = own.get(name)!;
    return {
      name,
      layer: module.constructor.name,
      outputShapes: shapes.get(module),
      numParameters: sizeOf(parameters),
      numTrainable: sizeOf(parameters.filter(({ requiresGrad }) => requiresGrad)),
      bytes: bytesOf([...parameters, ...buffers]),
    };
  });
  const total = (of: (row: SummaryRow) => number) => rows.reduce((sum, row) => sum + of(row), 0);
  const totals = {
    numParameters: total((row) => row.numParameters),
    numTrainable: total((row) => row.numTrainable),
    bytes: total((row) => row.bytes),
  };
  return { rows, ...totals, toString: () => formatSummary(rows, totals) };
}

function outputShapesOf(model: SummarizedModel, input: Shape | readonly unknown[]): Map<Module, readonly Shape[]> {
  if (!Array.isArray(input)) {
    throw new ValueError(
      `summary: input is ${typeof input}; it must be a shape, such as [1, 3, 32, 32], or a list of the inputs of forward.`,
      {},
    );
  }
  const shapes = new Map<Module, readonly Shape[]>();
  const modes = model.namedModules().map(([, module]) => ({ module, training: module.training }));
  const handles = modes
    .filter(({ module }) => "forward" in module)
    .map(({ module }) =>
      hookAfter(module, (_, __, output) => {
        shapes.set(module, shapesIn(output));
      }),
    );
  const inputs = isShape(input) ? [input] : input;
  try {
    model.eval();
    scope(() => {
      noGrad(() => {
        const given = inputs.map((item) => (isShape(item) ? zerosBeside(model, item) : item));
        model.forward(...(given as never[]));
      });
    });
  } finally {
    for (const handle of handles) handle.remove();
    for (const { module, training } of modes) module.training = training;
  }
  return shapes;
}

function isShape(value: unknown): value is Shape {
  return Array.isArray(value) && value.every((size) => typeof size === "number");
}

/** On the backend of the model's weights, if it has any. */
function zerosBeside(model: Module, shape: Shape): Tensor {
  const [weight] = model.stateDict().values();
  return weight === undefined ? zeros(shape) : withBackend(weight.backend, () => zeros(shape));
}

/** Shapes of tensors in an output, which may be an array, an object or a Map of them. */
function shapesIn(output: unknown): Shape[] {
  if (output instanceof Tensor) return [output.shape];
  if (output instanceof Map) return [...output.values()].flatMap(shapesIn);
  if (typeof output !== "object" || output === null || ArrayBuffer.isView(output)) return [];
  return Object.values(output).flatMap(shapesIn);
}

interface OwnTensors {
  readonly parameters: Tensor[];
  readonly buffers: Tensor[];
}

/** Parameters and buffers by the module whose field they are in: the longest module name that their name begins with. */
function ownTensors(model: Module): Map<string, OwnTensors> {
  const own = new Map(
    model.namedModules().map(([name]): [string, OwnTensors] => [name, { parameters: [], buffers: [] }]),
  );
  const ownerOf = (name: string): OwnTensors => {
    let path = name;
    while (path !== "") {
      path = path.slice(0, Math.max(path.lastIndexOf("."), 0));
      const found = own.get(path);
      if (found !== undefined) return found;
    }
    return own.get("")!;
  };
  for (const [name, parameter] of model.namedParameters()) ownerOf(name).parameters.push(parameter);
  for (const [name, buffer] of model.namedBuffers()) ownerOf(name).buffers.push(buffer);
  return own;
}

const sizeOf = (tensors: readonly Tensor[]): number => tensors.reduce((sum, { size }) => sum + size, 0);
const bytesOf = (tensors: readonly Tensor[]): number =>
  tensors.reduce((sum, { size, dtype }) => sum + size * bytesPerElement[dtype], 0);

function formatSummary(
  rows: readonly SummaryRow[],
  totals: Pick<ModelSummary, "numParameters" | "numTrainable" | "bytes">,
): string {
  const head = ["name", "layer", "output", "parameters", "trainable", "bytes"];
  const numbers = (row: typeof totals) => [row.numParameters, row.numTrainable, row.bytes].map(grouped);
  const body = rows.map((row) => {
    const shapes = row.outputShapes?.map(formatShape).join(" ") || "-";
    return [row.name || "(model)", row.layer, shapes, ...numbers(row)];
  });
  const last = ["total", "", "", ...numbers(totals)];
  const widths = head.map((_, i) => [head, ...body, last].reduce((width, row) => Math.max(width, row[i]!.length), 0));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  const rule = "-".repeat(line(head).length);
  return [line(head), rule, ...body.map(line), rule, line(last)].join("\n");
}

/** 1234567 -> "1,234,567" */
function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
