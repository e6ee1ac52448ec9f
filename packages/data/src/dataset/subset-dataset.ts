import { ValueError } from "@lockstep/core";
import { assertSamples, type Dataset } from "./dataset.js";

/**
 * The samples of a dataset at these places, in this order: one part of a split.
 *
 * @throws {ValueError} E_DATASET_EMPTY without places; E_SAMPLE for a place that the dataset does not have.
 * @source torch.utils.data.Subset
 */
export function subsetDataset<Batch>(dataset: Dataset<Batch>, places: readonly number[]): Dataset<Batch> {
  if (places.length === 0) {
    throw new ValueError(
      "subsetDataset: there are 0 places; there must be at least one.",
      { size: 0 },
      "E_DATASET_EMPTY",
    );
  }
  assertSamples(
    "subsetDataset",
    places.map((index) => ({ epoch: 0, index })),
    dataset.size,
  );
  const size = places.length;
  return {
    size,
    batch(samples) {
      assertSamples("subsetDataset.batch", samples, size);
      return dataset.batch(samples.map(({ epoch, index }) => ({ epoch, index: places[index]! })));
    },
  };
}
