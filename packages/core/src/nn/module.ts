/**
 * @file The base of layers and models: finds parameters, buffers and submodules among the fields of a class.
 *
 * A field that holds a Parameter, a Module, or an array of either is registered under its name, in the order in which the fields were
 * set; array elements are named by their index ("blocks.0.norm1.weight"). A Module or Parameter that appears twice is tied: it counts
 * once, under its first name. The order is part of a job's contract: gradients and checkpoints follow it.
 * Private fields (#name) are not seen; containers (ModuleList, ModuleDict, Sequential) answer their items in `namedFields`.
 */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import { type ForwardHook, type ForwardPreHook, type HookHandle, hookAfter, hookBefore } from "./forward-hooks.js";
import { type LoadReport, type LoadStateDictOptions, loadStateDict, type StateDictSource } from "./module-state.js";
import { matchesName, type NamePattern } from "./name-pattern.js";
import { Parameter } from "./parameter.js";
import { isStatisticsSource, type StatisticsSource } from "./statistics-source.js";

/**
 * Base class of everything with parameters. Subclasses add fields and a `forward`.
 *
 * @shape that of the subclass
 * @source torch.nn.Module. Deviations: fields register by being there; own parameters and submodules stand in field order, not
 *   parameters first; hooks see the whole list of inputs; no backward hooks.
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
      return true;
    });
    return found;
  }

  /** Submodules one level down by name: those in fields, and those in arrays in fields ("blocks.0"). Tied ones once. */
  namedChildren(): [string, Module][] {
    const found: [string, Module][] = [];
    const seen = new Set<unknown>([this]);
    for (const [key, field] of this.namedFields()) {
      visit(field, key, seen, (name, value) => {
        if (!(value instanceof Module)) return true;
        found.push([name, value]);
        return false;
      });
    }
    return found;
  }

  /**
   * The module of that name, as `namedModules` and the state dict write it; "" is this one.
   * @throws {ValueError} E_MODULE_NAME naming what there is instead.
   */
  getModule(name: string): Module {
    const found = name === "" ? this : this.#findField(name);
    if (found instanceof Module) return found;
    throw noModule("getModule", name, this);
  }

  /**
   * Puts another module where one stands, such as a new head. Only this place changes, also where the old one is tied. Returns the old
   * one, which is the caller's to dispose.
   * @throws {ValueError} E_MODULE_NAME when there is none of that name.
   */
  replaceModule(name: string, module: Module): Module {
    const old = this.#findField(name);
    if (!(old instanceof Module)) throw noModule("replaceModule", name, this);
    const cut = name.lastIndexOf(".");
    const [path, key] = [name.slice(0, Math.max(cut, 0)), name.slice(cut + 1)];
    const owner = path === "" ? this : this.#findField(path);
    if (owner instanceof Module) owner.setField(key, module);
    else (owner as unknown[])[Number(key)] = module;
    return old;
  }

  /** Calls `fn` with every submodule and its name, children before their parent, this one last. Returns this. */
  apply(fn: (module: Module, name: string) => void): this {
    for (const [name, module] of postOrder(this)) fn(module, name);
    return this;
  }

  /** Parameters by name in registration order, tied ones once. Frozen ones too. */
  namedParameters(): [string, Parameter][] {
    const found: [string, Parameter][] = [];
    visit(this, "", new Set(), (name, value) => {
      if (value instanceof Parameter) found.push([name, value]);
      return true;
    });
    return found;
  }

  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** Elements of all parameters, tied ones once; only of those that are trained, or only of the frozen ones. */
  numParameters({ trainable }: { readonly trainable?: boolean } = {}): number {
    const counted = this.parameters().filter((p) => trainable === undefined || p.requiresGrad === trainable);
    return counted.reduce((total, parameter) => total + parameter.size, 0);
  }

  /**
   * Keeps parameters as they are: their `requiresGrad` becomes false and their gradient is dropped, so that no optimizer moves them.
   * Buffers are no parameters: a BatchNorm's running statistics go on moving until its `eval()`. Returns this.
   *
   * @param pattern which parameters, default all: a name or the beginning of one up to a dot ("body" is "body.0.weight" too), in which *
   *   stands for any characters; a regular expression; or a function of the name
   * @throws {ValueError} E_NAME_PATTERN when no parameter has such a name.
   */
  freeze(pattern?: NamePattern): this {
    for (const parameter of this.#parametersLike("freeze", pattern)) {
      parameter.requiresGrad = false;
      dropGrad(parameter);
    }
    return this;
  }

  /** Undoes `freeze`. */
  unfreeze(pattern?: NamePattern): this {
    for (const parameter of this.#parametersLike("unfreeze", pattern)) parameter.requiresGrad = true;
    return this;
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
   * Copies values into the tensors of `stateDict()`. Checks everything before it writes anything. Answers which names were loaded and
   * which were not.
   *
   * @param source names with tensors of any backend that can be read at once, or with numbers on the host
   * @throws {ValueError} E_STATE_DICT naming what is missing or unexpected (unless `strict` is false), and the tensors whose shape or
   *   dtype differs (unless `skipMismatched`); when `rename` sends two names to one, or has a prefix that no name has.
   */
  loadStateDict(source: StateDictSource, options: LoadStateDictOptions = {}): LoadReport {
    return loadStateDict(this.stateDict(), source, options);
  }

  /**
   * Calls `hook` before each call of `forward`, in training and in evaluation alike, in the order of registration. An array that it
   * answers takes the place of the inputs. It runs inside the forward pass: in the current scope, micro-batch and tape.
   * Other methods, and parents that use this module's parameters without calling `forward`, run no hook.
   * @throws {ValueError} E_HOOK when the module has no `forward`.
   */
  registerForwardPreHook<M extends Module>(this: M, hook: ForwardPreHook<M>): HookHandle {
    return hookBefore(this, hook);
  }

  /**
   * Calls `hook` after each call of `forward`, with what went in and what came out; what it answers, unless undefined, takes the place of
   * the output. When it runs: as for `registerForwardPreHook`. Tensors that it wants to hold on to need `keep`, or host copies.
   * @throws {ValueError} E_HOOK when the module has no `forward`.
   */
  registerForwardHook<M extends Module>(this: M, hook: ForwardHook<M>): HookHandle {
    return hookAfter(this, hook);
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
    for (const parameter of this.parameters()) dropGrad(parameter);
  }

  /** Gives the memory of all parameters and buffers back. */
  dispose(): void {
    for (const tensor of this.stateDict().values()) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What may hold parameters and submodules, by the names they get. Containers override it. */
  namedFields(): Iterable<readonly [string, unknown]> {
    return Object.entries(this);
  }

  /** Puts a submodule under a name that `namedFields` has. */
  protected setField(name: string, module: Module): void {
    (this as Record<string, unknown>)[name] = module;
  }

  /** A field of a field ... by dotted name. */
  #findField(name: string): unknown {
    return name.split(".").reduce<unknown>((owner, key) => {
      if (owner instanceof Module) return new Map(owner.namedFields()).get(key);
      return Array.isArray(owner) && /^\d+$/.test(key) ? owner[Number(key)] : undefined;
    }, this);
  }

  #parametersLike(where: string, pattern: NamePattern | undefined): Parameter[] {
    const named = this.namedParameters();
    if (pattern === undefined) return named.map(([, parameter]) => parameter);
    const chosen = named.filter(([name]) => matchesName(pattern, name)).map(([, parameter]) => parameter);
    if (chosen.length > 0) return chosen;
    throw new ValueError(
      `${where}: no parameter is called ${String(pattern)}; the names are ${listed(named.map(([name]) => name))}. Give one of them, the beginning of one up to a dot, or a regular expression.`,
      { pattern: String(pattern), names: named.map(([name]) => name) },
      "E_NAME_PATTERN",
    );
  }
}

/** Answering false keeps the walk out of what was found. */
type Found = (name: string, value: Module | Parameter) => boolean;

function noModule(where: string, name: string, root: Module): ValueError {
  const names = root.namedModules().flatMap(([found]) => (found === "" ? [] : [found]));
  return new ValueError(
    `${where}: there is no module ${JSON.stringify(name)}; the names are ${listed(names)}.`,
    { name, names },
    "E_MODULE_NAME",
  );
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  return names.length > 8 ? `${names.slice(0, 8).join(", ")}, ...` : names.join(", ");
}

function postOrder(root: Module): [string, Module][] {
  const found: [string, Module][] = [];
  const seen = new Set<Module>();
  const walk = (module: Module, prefix: string) => {
    seen.add(module);
    for (const [name, child] of module.namedChildren()) if (!seen.has(child)) walk(child, join(prefix, name));
    found.push([prefix, module]);
  };
  walk(root, "");
  return found;
}

function dropGrad(parameter: Parameter): void {
  parameter.grad?.dispose();
  parameter.grad = undefined;
}

function visit(value: unknown, name: string, seen: Set<unknown>, found: Found): void {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) visit(item, join(name, String(i)), seen, found);
    return;
  }
  if (!(value instanceof Module || value instanceof Parameter) || seen.has(value)) return;
  seen.add(value);
  if (!found(name, value) || !(value instanceof Module)) return;
  for (const [key, field] of value.namedFields()) visit(field, join(name, key), seen, found);
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}
