/**
 * @file Renames the entries of a state dict: weights that another program wrote under other names, or ours for another program.
 *
 * A hook: the tables for particular formats come with those formats.
 */
import { ValueError } from "@lockstep/core";

/** What becomes of a name: another name, or undefined to leave the entry out. */
export type WeightNameMapping = (name: string) => string | undefined;

/**
 * The entries under their new names, in the same order.
 *
 * @throws {ValueError} E_WEIGHT_NAME when two entries get the same name.
 */
export function renameWeights<Value>(
  stateDict: Iterable<readonly [string, Value]>,
  mapping: WeightNameMapping,
): Map<string, Value> {
  const renamed = new Map<string, Value>();
  const origin = new Map<string, string>();
  for (const [name, value] of stateDict) {
    const target = mapping(name);
    if (target === undefined) continue;
    const first = origin.get(target);
    if (first !== undefined) {
      throw new ValueError(
        `renameWeights: ${JSON.stringify(first)} and ${JSON.stringify(name)} both become ${JSON.stringify(target)}; names must stay unique. Correct the mapping.`,
        { first, second: name, target },
        "E_WEIGHT_NAME",
      );
    }
    origin.set(target, name);
    renamed.set(target, value);
  }
  return renamed;
}
