/** Sound in memory: one array of samples for each channel, all of one length. */
export interface AudioClip {
  /** Samples of a channel in a second. */
  readonly sampleRate: number;
  readonly channels: readonly Float32Array[];
}
