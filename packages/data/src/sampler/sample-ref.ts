/** One sample of an epoch. The sampler chooses them; a dataset turns them into tensors. */
export interface SampleRef {
  readonly epoch: number;
  /** Place in the dataset, 0..size-1, after the epoch's permutation. */
  readonly index: number;
}
