/** @file Parameters that share settings, as every optimizer takes them. */
import { ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertNumber } from "./assert-settings.js";

/** What a group has beside the optimizer's settings. */
interface GroupFields {
  readonly parameters: Iterable<Tensor>;
  /** For `optimizer.group(name)` and error texts. */
  readonly name?: string;
  /**
   * The group's own learning rate at the optimizer's own: shorthand for learningRateScale = this / the optimizer's `learningRate`. A
   * schedule moves both in the same proportion.
   */
  readonly learningRate?: number;
}

/** Some parameters with settings of their own; what is not given comes from the optimizer's options. */
export type ParameterGroup<Settings> = GroupFields & Partial<Settings>;

/** All parameters alike, or groups of them. */
export type ParametersOrGroups<Settings> = Iterable<Tensor> | Iterable<ParameterGroup<Settings>>;

export interface ResolvedGroup<Settings> {
  readonly name: string | undefined;
  readonly parameters: readonly Tensor[];
  readonly settings: Settings;
}

export interface GroupDefaults<Settings> {
  /** The optimizer's own learning rate. */
  readonly learningRate: number;
  readonly settings: Settings;
}

/**
 * @throws {ValueError} E_VALUE when there is no parameter, one is given twice, a group has a setting that the optimizer does not have, or
 *   two groups have one name.
 */
export function resolveGroups<Settings extends { readonly learningRateScale: number }>(
  where: string,
  given: ParametersOrGroups<Settings>,
  defaults: GroupDefaults<Settings>,
): ResolvedGroup<Settings>[] {
  const groups = groupsOf(where, given);
  const seen = new Set<Tensor>();
  const names = new Set<string>();
  const resolved = groups.map(({ parameters, name, learningRate, ...own }) => {
    const list = [...parameters];
    const label = name === undefined ? "" : ` (group "${name}")`;
    for (const parameter of list) assertNew(where, parameter, seen, label);
    assertKnownSettings(where, own, defaults.settings);
    if (name !== undefined && names.has(name)) {
      throw new ValueError(`${where}: two groups are named "${name}"; names must differ. Rename one.`, { name });
    }
    if (name !== undefined) names.add(name);
    const settings: Settings = { ...defaults.settings, ...own };
    return { name, parameters: list, settings: withRate(where, settings, learningRate, defaults.learningRate) };
  });
  if (seen.size === 0) {
    throw new ValueError(`${where}: there are no parameters; give at least one. Pass model.parameters().`, {});
  }
  return resolved;
}

/** @throws {ValueError} E_VALUE naming a setting that the optimizer does not have. */
export function assertKnownSettings(where: string, own: object, known: object): void {
  for (const key of Object.keys(own)) {
    if (key in known) continue;
    throw new ValueError(
      `${where}: setting ${key} is unknown; it must be one of learningRate, ${Object.keys(known).join(", ")}. Check the spelling.`,
      { setting: key, known: Object.keys(known) },
    );
  }
}

function groupsOf<Settings>(where: string, given: ParametersOrGroups<Settings>): ParameterGroup<Settings>[] {
  if (typeof (given as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== "function") {
    throw new ValueError(
      `${where}: parameters is no list; it must be one. Pass model.parameters() or a list of groups.`,
      {},
    );
  }
  const items = [...(given as Iterable<Tensor | ParameterGroup<Settings>>)];
  const isGroup = (item: object): boolean => "parameters" in item;
  const numGroups = items.filter(isGroup).length;
  if (numGroups === 0) return [{ parameters: items as Tensor[] } as unknown as ParameterGroup<Settings>];
  if (numGroups < items.length) {
    throw new ValueError(
      `${where}: ${numGroups} of ${items.length} items are groups and the others parameters; all must be of one kind. Put the parameters in a group { parameters: [...] }.`,
      { numGroups, numItems: items.length },
    );
  }
  return items as ParameterGroup<Settings>[];
}

function assertNew(where: string, parameter: Tensor, seen: Set<Tensor>, label: string): void {
  if (seen.has(parameter)) {
    throw new ValueError(
      `${where}: a parameter of shape ${formatShape(parameter.shape)} is given twice${label}; it must stand in one group. Give it once.`,
      { shape: parameter.shape },
    );
  }
  seen.add(parameter);
}

function withRate<Settings extends { readonly learningRateScale: number }>(
  where: string,
  settings: Settings,
  learningRate: number | undefined,
  base: number,
): Settings {
  if (learningRate === undefined) return settings;
  assertNumber(where, "learningRate of a group", learningRate);
  if (!(base > 0)) {
    throw new ValueError(
      `${where}: a group has learningRate ${learningRate} and the optimizer ${base}; the optimizer's must be above 0 for a group to have its own. Give the group a learningRateScale.`,
      { learningRate, base },
    );
  }
  return { ...settings, learningRateScale: learningRate / base };
}
