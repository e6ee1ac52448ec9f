/** @file Copies a state dict into the tensors of a module, after every name, shape and dtype was checked. */
import { ValueError } from "../errors.js";
import type { HostTensor } from "../serialization/host-tensor.js";
import { formatShape, type Shape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

type Source = Tensor | HostTensor;

export type StateDictSource = Iterable<readonly [string, Source]> | Readonly<Record<string, Source>>;

/** Names in the source -> names in the model. A function answers undefined for what is left out. A record has beginnings of names up to a
 * dot (or whole ones) and what stands in their place, the longest first; "" is nothing: `{ "module": "" }` takes "module." off. */
export type NameMapping = ((name: string) => string | undefined) | Readonly<Record<string, string>>;

export interface LoadStateDictOptions {
  /** False: names that only one side has are left alone, and reported. Default true. */
  readonly strict?: boolean;
  /** True: tensors of another shape or dtype are left alone, and reported, instead of refused. Default false. */
  readonly skipMismatched?: boolean;
  readonly rename?: NameMapping;
}

/** A name that both sides have, for unlike tensors. */
export interface MismatchedTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: string;
  readonly expectedShape: Shape;
  readonly expectedDtype: string;
}

/** What became of each name; renamed ones by their new names. */
export interface LoadReport {
  readonly loaded: readonly string[];
  /** The model has it, the source does not: it kept its value. */
  readonly missing: readonly string[];
  /** The source has it, the model does not: it was not used. */
  readonly unexpected: readonly string[];
  /** Both have it, of unlike shapes or dtypes: it kept its value. */
  readonly mismatched: readonly MismatchedTensor[];
}

/** See Module.loadStateDict. */
export function loadStateDict(
  targets: ReadonlyMap<string, Tensor>,
  source: StateDictSource,
  { strict = true, skipMismatched = false, rename }: LoadStateDictOptions,
): LoadReport {
  const entries: Iterable<readonly [string, Source]> =
    Symbol.iterator in source ? (source as Iterable<readonly [string, Source]>) : Object.entries(source);
  const sources = rename === undefined ? new Map(entries) : renamed(new Map(entries), rename);
  const missing = [...targets.keys()].filter((name) => !sources.has(name));
  const unexpected = [...sources.keys()].filter((name) => !targets.has(name));
  const shared = [...targets].filter(([name]) => sources.has(name));
  const mismatched = shared.flatMap(([name, target]) => mismatchOf(name, target, sources.get(name)!));
  if (strict) assertSameNames({ missing, unexpected }, targets.size);
  if (!skipMismatched) assertNoneDiffers(mismatched);
  const skipped = new Set(mismatched.map(({ name }) => name));
  const pairs = shared.filter(([name]) => !skipped.has(name));
  for (const [name, target] of pairs) {
    const value = sources.get(name)!;
    target.backend.write(target.buffer, target.offset, value instanceof Tensor ? value.dataSync() : value.data);
    target.storage.version++;
  }
  return { loaded: pairs.map(([name]) => name), missing, unexpected, mismatched };
}

function renamed(sources: ReadonlyMap<string, Source>, mapping: NameMapping): Map<string, Source> {
  const newName = typeof mapping === "function" ? mapping : byPrefix(mapping, [...sources.keys()]);
  const origin = new Map<string, string>();
  const result = new Map<string, Source>();
  for (const [name, value] of sources) {
    const target = newName(name);
    if (target === undefined) continue;
    const first = origin.get(target);
    if (first !== undefined) {
      throw new ValueError(
        `loadStateDict: rename makes ${JSON.stringify(target)} of both ${JSON.stringify(first)} and ${JSON.stringify(name)}; names must stay unique.`,
        { names: [first, name], target },
        "E_STATE_DICT",
      );
    }
    origin.set(target, name);
    result.set(target, value);
  }
  return result;
}

function byPrefix(mapping: Readonly<Record<string, string>>, names: readonly string[]): (name: string) => string {
  const has = (name: string, prefix: string) => name === prefix || name.startsWith(`${prefix}.`);
  const rules = Object.entries(mapping).sort(([a], [b]) => b.length - a.length);
  for (const [prefix] of rules) {
    if (names.some((name) => has(name, prefix))) continue;
    throw new ValueError(
      `loadStateDict: rename has ${JSON.stringify(prefix)}, but no name begins with it (${listed(names)}); each entry must rename something.`,
      { prefix, names },
      "E_STATE_DICT",
    );
  }
  return (name) => {
    const rule = rules.find(([prefix]) => has(name, prefix));
    if (rule === undefined) return name;
    const rest = name.slice(rule[0].length);
    return rule[1] === "" ? rest.replace(/^\./, "") : rule[1] + rest;
  };
}

function assertSameNames(
  { missing, unexpected }: { readonly missing: readonly string[]; readonly unexpected: readonly string[] },
  numTargets: number,
): void {
  if (missing.length === 0 && unexpected.length === 0) return;
  const parts = [
    ...(missing.length > 0
      ? [`${missing.length} of the model's ${numTargets} tensors are missing (${listed(missing)})`]
      : []),
    ...(unexpected.length > 0 ? [`${unexpected.length} are not in the model (${listed(unexpected)})`] : []),
  ];
  throw new ValueError(
    `loadStateDict: ${parts.join(" and ")}; names must be equal. The weights are of another architecture or configuration; pass { strict: false } to load what both have.`,
    { missing, unexpected },
    "E_STATE_DICT",
  );
}

function mismatchOf(name: string, target: Tensor, { shape, dtype }: Source): MismatchedTensor[] {
  if (shapesEqual(shape, target.shape) && dtype === target.dtype) return [];
  return [{ name, shape, dtype, expectedShape: target.shape, expectedDtype: target.dtype }];
}

function assertNoneDiffers(mismatched: readonly MismatchedTensor[]): void {
  const [first, ...others] = mismatched;
  if (first === undefined) return;
  const { name, shape, dtype, expectedShape, expectedDtype } = first;
  const rest =
    others.length === 0 ? "" : ` ${others.length} more differ (${listed(others.map((other) => other.name))}).`;
  throw new ValueError(
    `loadStateDict: ${name} is ${formatShape(shape)} ${dtype}, but the model's is ${formatShape(expectedShape)} ${expectedDtype}; they must be equal. The weights are of another architecture or configuration.${rest}`,
    { ...first, mismatched },
    "E_STATE_DICT",
  );
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown}, ...` : shown;
}
