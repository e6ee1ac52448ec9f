import { Pipeline, type SampleSource } from "./pipeline.js";

/**
 * A pipeline over an array, or over any source with random access whose samples are the same in every epoch.
 *
 * @example
 * pipelineOf({ size: 3, get: ({ index }) => index * index }).toArray(); // => [0, 1, 4]
 */
export function pipelineOf<Value>(source: readonly Value[] | SampleSource<Value>): Pipeline<Value> {
  const isArray = Array.isArray(source);
  const values = source as readonly Value[];
  const samples = source as SampleSource<Value>;
  return new Pipeline<Value>({
    size: isArray ? values.length : samples.size,
    get: isArray ? ({ index }) => values[index]! : (sample) => samples.get(sample),
    dependsOn: "index",
    filters: [],
  });
}
