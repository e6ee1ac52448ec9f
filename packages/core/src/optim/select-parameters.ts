/** @file Parameter groups chosen by name: no decay on biases and norms, small rates for layers that were trained before. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import type { ParameterGroup } from "./parameter-group.js";

/** Anything with named parameters; a Module. */
interface NamedParameters {
  namedParameters(): Iterable<readonly [string, Tensor]>;
}

/** Which parameters: a module's or parameter's name ("encoder", "encoder.0.weight"), a pattern, or a function of name and parameter. */
export type ParameterFilter = string | RegExp | ((name: string, parameter: Tensor) => boolean);

/** Settings for the parameters that a filter finds. */
export type GroupRule<Settings> = { readonly match: ParameterFilter } & Omit<ParameterGroup<Settings>, "parameters">;

/**
 * Groups of a model's parameters for an optimizer: one for each rule, and last, with the optimizer's own settings, one of the parameters
 * that no rule finds.
 *
 * @shape none
 * @throws {ValueError} E_PARAMETER_GROUP when a rule finds nothing, or two rules find one parameter.
 * @source none: ours. What PyTorch's users write by hand before they pass param_groups.
 * @example
 * const model = new nn.Linear(2, 3);
 * const groups = optim.parameterGroups(model, [{ match: "bias", weightDecay: 0 }]);
 * groups.map(({ parameters }) => [...parameters].length); // => [1, 1]
 */
export function parameterGroups<Settings = object>(
  model: NamedParameters,
  rules: readonly GroupRule<Settings>[],
): ParameterGroup<Settings>[] {
  const named = [...model.namedParameters()];
  const ownerOf = new Map<Tensor, number>();
  const groups = rules.map(({ match, ...settings }, i) => {
    const found = named.filter(([name, parameter]) => matches(match, name, parameter));
    if (found.length === 0) throw nothingFound(match, named);
    for (const [name, parameter] of found) {
      const other = ownerOf.get(parameter);
      if (other !== undefined) {
        throw new ValueError(
          `parameterGroups: parameter "${name}" is found by rule ${other} (${textOf(rules[other]!.match)}) and by rule ${i} (${textOf(match)}); one rule must find it. Make one of them narrower.`,
          { name, rules: [other, i] },
          "E_PARAMETER_GROUP",
        );
      }
      ownerOf.set(parameter, i);
    }
    return { ...settings, parameters: found.map(([, parameter]) => parameter) } as unknown as ParameterGroup<Settings>;
  });
  const rest = named.flatMap(([, parameter]) => (ownerOf.has(parameter) ? [] : [parameter]));
  return rest.length === 0 ? groups : [...groups, { parameters: rest } as unknown as ParameterGroup<Settings>];
}

/**
 * Is it a bias or the weight of a norm? Those have at most one dim; for `match` of a rule without weight decay.
 *
 * @shape any
 * @source The rule of nanoGPT's configure_optimizers.
 * @example
 * optim.isBiasOrNorm("fc.bias", new nn.Linear(2, 3).bias!); // => true
 */
export function isBiasOrNorm(_name: string, parameter: Tensor): boolean {
  return parameter.shape.length <= 1;
}

function matches(filter: ParameterFilter, name: string, parameter: Tensor): boolean {
  if (typeof filter === "function") return filter(name, parameter);
  if (filter instanceof RegExp) return name.search(filter) >= 0;
  return name === filter || name.startsWith(`${filter}.`);
}

function textOf(filter: ParameterFilter): string {
  return typeof filter === "function" ? `the function ${filter.name || "without a name"}` : String(filter);
}

function nothingFound(match: ParameterFilter, named: readonly (readonly [string, Tensor])[]): ValueError {
  const names = named.map(([name]) => name);
  const shown = names.length > 4 ? `${names.slice(0, 4).join(", ")}, ...` : names.join(", ");
  return new ValueError(
    `parameterGroups: ${textOf(match)} finds none of the ${names.length} parameters (${shown}); a rule must find at least one. Check the name.`,
    { match: textOf(match), names },
    "E_PARAMETER_GROUP",
  );
}
