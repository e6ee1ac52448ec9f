/** @file Copies a state dict into the tensors of a module, after every name, shape and dtype was checked. */
import { ValueError } from "../errors.js";
import type { HostTensor } from "../serialization/host-tensor.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

type Source = Tensor | HostTensor;

export type StateDictSource = Iterable<readonly [string, Source]> | Readonly<Record<string, Source>>;

export interface LoadStateDictOptions {
  /** False: names that only one side has are left alone. Default true. */
  readonly strict?: boolean;
}

/** See Module.loadStateDict. */
export function loadStateDict(
  targets: ReadonlyMap<string, Tensor>,
  source: StateDictSource,
  { strict = true }: LoadStateDictOptions,
): void {
  const entries: Iterable<readonly [string, Source]> =
    Symbol.iterator in source ? (source as Iterable<readonly [string, Source]>) : Object.entries(source);
  const sources = new Map(entries);
  if (strict) assertSameNames(targets, sources);
  const pairs = [...targets].filter(([name]) => sources.has(name));
  for (const [name, target] of pairs) assertFits(name, target, sources.get(name)!);
  for (const [name, target] of pairs) {
    const value = sources.get(name)!;
    target.backend.write(target.buffer, target.offset, value instanceof Tensor ? value.dataSync() : value.data);
    target.storage.version++;
  }
}

function assertSameNames(targets: ReadonlyMap<string, Tensor>, sources: ReadonlyMap<string, Source>): void {
  const missing = [...targets.keys()].filter((name) => !sources.has(name));
  const unexpected = [...sources.keys()].filter((name) => !targets.has(name));
  if (missing.length === 0 && unexpected.length === 0) return;
  const parts = [
    ...(missing.length > 0
      ? [`${missing.length} of the model's ${targets.size} tensors are missing (${listed(missing)})`]
      : []),
    ...(unexpected.length > 0 ? [`${unexpected.length} are not in the model (${listed(unexpected)})`] : []),
  ];
  throw new ValueError(
    `loadStateDict: ${parts.join(" and ")}; names must be equal. The weights are of another architecture or configuration; pass { strict: false } to load what both have.`,
    { missing, unexpected },
    "E_STATE_DICT",
  );
}

function assertFits(name: string, target: Tensor, { shape, dtype }: Source): void {
  if (shapesEqual(shape, target.shape) && dtype === target.dtype) return;
  throw new ValueError(
    `loadStateDict: ${name} is ${formatShape(shape)} ${dtype}, but the model's is ${formatShape(target.shape)} ${target.dtype}; they must be equal. The weights are of another architecture or configuration.`,
    { name, shape, dtype, expectedShape: target.shape, expectedDtype: target.dtype },
    "E_STATE_DICT",
  );
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown}, ...` : shown;
}
