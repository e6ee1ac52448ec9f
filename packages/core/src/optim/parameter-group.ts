/** @file Parameters that share settings, as every optimizer takes them. */
import { ValueError } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";

/** Some parameters with settings of their own; what is not given comes from the optimizer's options. */
export type ParameterGroup<Settings> = { readonly parameters: Iterable<Tensor> } & Partial<Settings>;

/** All parameters alike, or groups of them. */
export type ParametersOrGroups<Settings> = Iterable<Tensor> | Iterable<ParameterGroup<Settings>>;

export interface ResolvedGroup<Settings> {
  readonly parameters: readonly Tensor[];
  readonly settings: Settings;
}

/** @throws {ValueError} E_VALUE when there is no parameter, or one is given twice. */
export function resolveGroups<Settings extends object>(
  where: string,
  given: ParametersOrGroups<Settings>,
  defaults: Settings,
): ResolvedGroup<Settings>[] {
  const items = [...(given as Iterable<Tensor | ParameterGroup<Settings>>)];
  const groups = items.some((item) => "parameters" in item)
    ? (items as ParameterGroup<Settings>[])
    : [{ parameters: items as Tensor[] } as unknown as ParameterGroup<Settings>];
  const seen = new Set<Tensor>();
  const resolved = groups.map(({ parameters, ...own }) => {
    const list = [...parameters];
    for (const parameter of list) {
      if (seen.has(parameter)) {
        throw new ValueError(
          `${where}: a parameter of shape [${parameter.shape.join(",")}] is given twice; give it once.`,
          {
            shape: parameter.shape,
          },
        );
      }
      seen.add(parameter);
    }
    return { parameters: list, settings: { ...defaults, ...own } as Settings };
  });
  if (seen.size === 0) {
    throw new ValueError(`${where}: there are no parameters; give at least one. Pass model.parameters().`, {});
  }
  return resolved;
}
