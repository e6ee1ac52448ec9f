/**
 * @file The base of layers and models: finds parameters, buffers and submodules among the fields of a class.
 *
 * A field that holds a Parameter, a Module, or an array of either is registered under its name, in the order in which the fields were
 * set; array elements are named by their index ("blocks.0.norm1.weight"). A Module or Parameter that appears twice is tied: it counts
 * once, under its first name. The order is part of a job's contract: gradients and checkpoints follow it.
 * Private fields (#name) are not seen.
 */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { type LoadStateDictOptions, loadStateDict, type StateDictSource } from "./module-state.js";
import { Parameter } from "./parameter.js";
import { isStatisticsSource, type StatisticsSource } from "./statistics-source.js";

/**
 * Base class of everything with parameters. Subclasses add fields and a `forward`.
 *
 * @shape that of the subclass
 * @source torch.nn.Module. Deviations: fields register by being there; own parameters and submodules stand in field order, not
 *   parameters first; no hooks.
 * @example
 * new nn.Linear(2, 3).namedParameters().map(([name]) => name); // => ["weight", "bias"]
 */
export class Module {
  /** Whether dropout and the like are active. `train` and `eval` set it everywhere below. */
  training = true;
  readonly #buffers = new Map<string, Tensor>();

  /** Submodules by name, itself first under "". Tied ones once. */
  namedModules(): [string, Module][] {
    const found: [string, Module][] = [];
    visit(this, "", new Set(), (name, value) => {
      if (value instanceof Module) found.push([name, value]);
    });
    return found;
  }

  /** Parameters by name in registration order, tied ones once. Frozen ones too. */
  namedParameters(): [string, Parameter][] {
    const found: [string, Parameter][] = [];
    visit(this, "", new Set(), (name, value) => {
      if (value instanceof Parameter) found.push([name, value]);
    });
    return found;
  }

  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** Tensors that are state but are not trained, by name in registration order. */
  namedBuffers(): [string, Tensor][] {
    return this.namedModules().flatMap(([name, module]) =>
      Array.from(module.#buffers, ([key, buffer]): [string, Tensor] => [join(name, key), buffer]),
    );
  }

  /** Modules that emit statistics with each micro-batch (BatchNorm), by name in registration order. */
  namedStatistics(): [string, StatisticsSource][] {
    const found: [string, StatisticsSource][] = [];
    for (const [name, module] of this.namedModules()) {
      if (isStatisticsSource(module) && module.statisticsLength > 0) found.push([name, module]);
    }
    return found;
  }

  /**
   * Makes a tensor part of this module's state. It is kept out of scopes. Returns it.
   * @throws {ValueError} E_BUFFER_NAME when the name is taken or has a dot.
   */
  registerBuffer(name: string, buffer: Tensor): Tensor {
    if (name.includes(".") || name === "" || this.#buffers.has(name)) {
      throw new ValueError(
        `registerBuffer: name is ${JSON.stringify(name)}; it must be new in this module, not empty and without a dot.`,
        { name },
        "E_BUFFER_NAME",
      );
    }
    buffer.isKept = true;
    this.#buffers.set(name, buffer);
    return buffer;
  }

  /** Parameters, then buffers, by name: the tensors themselves, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map<string, Tensor>([...this.namedParameters(), ...this.namedBuffers()]);
  }

  /**
   * Copies values into the tensors of `stateDict()`. Checks everything before it writes anything.
   *
   * @param source names with tensors of any backend that can be read at once, or with numbers on the host
   * @throws {ValueError} E_STATE_DICT naming what is missing or unexpected (unless `strict` is false), and the first tensor whose shape
   *   or dtype differs.
   */
  loadStateDict(source: StateDictSource, options: LoadStateDictOptions = {}): void {
    loadStateDict(this.stateDict(), source, options);
  }

  /** Sets `training` here and in all submodules. Returns this. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.grad?.dispose();
      parameter.grad = undefined;
    }
  }

  /** Gives the memory of all parameters and buffers back. */
  dispose(): void {
    for (const tensor of this.stateDict().values()) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

type Found = (name: string, value: Module | Parameter) => void;

function visit(value: unknown, name: string, seen: Set<unknown>, found: Found): void {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) visit(item, join(name, String(i)), seen, found);
    return;
  }
  if (!(value instanceof Module || value instanceof Parameter) || seen.has(value)) return;
  seen.add(value);
  found(name, value);
  if (!(value instanceof Module)) return;
  for (const [key, field] of Object.entries(value)) visit(field, join(name, key), seen, found);
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}
