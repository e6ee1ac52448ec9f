/** @file Columns of samples as batches of tensors. */
import type { Tensor } from "@lockstep/core";
import { arrayDataset, type SampleRef } from "@lockstep/data";
import { type Columns, onlyInput } from "./columns.js";
import type { ModelInputs } from "./definition.js";

const targetName = "target of the sample";

export interface ColumnBatch {
  /** A tensor where there is one column of the lone input's name, else a record. */
  readonly inputs: ModelInputs;
  /** Undefined where the columns have none. */
  readonly targets: Tensor | undefined;
}

/** @shape batch: [B, ...] each. */
export function columnDataset({ inputs, targets }: Columns): {
  readonly size: number;
  batch(samples: readonly SampleRef[]): ColumnBatch;
} {
  const dataset = arrayDataset(targets === undefined ? inputs : { ...inputs, [targetName]: targets });
  const names = Object.keys(inputs);
  const isOne = names.length === 1 && names[0] === onlyInput;
  return {
    size: dataset.size,
    batch: (samples) => {
      const batch = dataset.batch(samples) as Readonly<Record<string, Tensor>>;
      return {
        inputs: isOne ? batch[onlyInput]! : Object.fromEntries(names.map((name) => [name, batch[name]!])),
        targets: batch[targetName],
      };
    },
  };
}
