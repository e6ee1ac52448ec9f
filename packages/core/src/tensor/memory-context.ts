/** @file Says what memory was asked for, where there was none: a backend knows bytes alone. */
import { OutOfMemoryError } from "../errors.js";
import { formatShape, type Shape } from "./shape.js";

/** What was being made, of which inputs. */
export interface MemoryContext {
  /** Name of the op, or of what makes a tensor. */
  readonly op: string;
  readonly inputs?: readonly { readonly shape: Shape }[];
  readonly outputs?: readonly { readonly shape: Shape }[];
}

/** An OutOfMemoryError that names op and shapes, once: the innermost op is the one that asked. Other errors are returned as they are. */
export function withMemoryContext(error: unknown, { op, inputs = [], outputs = [] }: MemoryContext): unknown {
  if (!(error instanceof OutOfMemoryError) || error.fields.op !== undefined) return error;
  const list = (all: readonly { readonly shape: Shape }[]): string =>
    all.map(({ shape }) => formatShape(shape)).join(", ");
  const parts = [
    op,
    ...(inputs.length > 0 ? [`of ${list(inputs)}`] : []),
    ...(outputs.length > 0 ? [`to ${list(outputs)}`] : []),
  ];
  const shapes = { inputs: inputs.map(({ shape }) => shape), outputs: outputs.map(({ shape }) => shape) };
  return new OutOfMemoryError(`${parts.join(" ")}: ${error.message}`, { ...error.fields, op, ...shapes });
}
