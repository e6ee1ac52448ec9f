/**
 * @file Where each parameter's gradient lies in the flat gradient vector, and how that vector is cut into buckets. Pure.
 *
 * Parameters lie in reverse order of registration, end to end without padding, f32: about the order in which a backward pass
 * finishes them, and fixed by the model alone. Statistics that modules emit with a micro-batch (decision 0013) follow behind the last
 * parameter, in registration order: outside of what the global norm sees. A model without them has no such section. Frozen parameters
 * have no place: nothing is sent for them.
 */
import { ValueError } from "../errors.js";

export interface FlatParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element in the flat vector. */
  readonly offset: number;
  readonly length: number;
}

export interface FlatLayout {
  /** In flat order: parameters, then an entry "<module>.statistics" for each source of statistics. */
  readonly parameters: readonly FlatParameter[];
  /** Elements of the flat vector. */
  readonly length: number;
}

/** A contiguous piece [begin, end) of the flat vector, in elements. */
export interface Bucket {
  readonly index: number;
  readonly begin: number;
  readonly end: number;
}

/** Layout of trained parameters, and of statistics if there are any, given in registration order, tied ones once. */
export function flatLayout(
  named: Iterable<readonly [string, { readonly shape: readonly number[] }]>,
  statistics: Iterable<readonly [string, { readonly statisticsLength: number }]> = [],
): FlatLayout {
  const parameters: FlatParameter[] = [];
  let offset = 0;
  for (const [name, { shape }] of [...named].reverse()) {
    const length = shape.reduce((product, n) => product * n, 1);
    parameters.push({ name, shape: [...shape], offset, length });
    offset += length;
  }
  for (const [name, { statisticsLength: length }] of statistics) {
    parameters.push({ name: `${name}.statistics`, shape: [length], offset, length });
    offset += length;
  }
  return { parameters, length: offset };
}

/**
 * Buckets of at most `bucketBytes` that cover a flat vector of `length` f32 elements; all but the last are full.
 *
 * @throws {ValueError} E_VALUE when bucketBytes is not a positive multiple of 4.
 */
export function bucketsOf(length: number, bucketBytes: number): Bucket[] {
  if (!Number.isInteger(bucketBytes / 4) || bucketBytes < 4) {
    throw new ValueError(`bucketsOf: bucketBytes is ${bucketBytes}; it must be a positive multiple of 4.`, {
      bucketBytes,
    });
  }
  const bucketLength = bucketBytes / 4;
  const buckets: Bucket[] = [];
  for (let begin = 0; begin < length; begin += bucketLength) {
    buckets.push({ index: buckets.length, begin, end: Math.min(begin + bucketLength, length) });
  }
  return buckets;
}

/** The parameter that holds element `index` of the flat vector, and the element's place in it. */
export function parameterAt(layout: FlatLayout, index: number): { parameter: FlatParameter; element: number } {
  for (const parameter of layout.parameters) {
    if (index >= parameter.offset && index < parameter.offset + parameter.length) {
      return { parameter, element: index - parameter.offset };
    }
  }
  throw new ValueError(`parameterAt: index is ${index}; it must be in 0..${layout.length - 1}.`, { index });
}

/**
 * Calls `onBucket` when all parameters that lie in a bucket are final. Parameters may come in any order, each once.
 */
export class BucketTracker {
  private readonly layout: FlatLayout;
  private readonly buckets: readonly Bucket[];
  private readonly missing: number[];
  private readonly onBucket: (bucket: Bucket) => void;

  constructor(layout: FlatLayout, buckets: readonly Bucket[], onBucket: (bucket: Bucket) => void) {
    this.layout = layout;
    this.buckets = buckets;
    this.onBucket = onBucket;
    this.missing = buckets.map((bucket) => bucket.end - bucket.begin);
  }

  /** The parameter at this place of the layout is final. */
  complete(parameterIndex: number): void {
    const parameter = this.layout.parameters[parameterIndex]!;
    const end = parameter.offset + parameter.length;
    for (let i = this.firstBucketAt(parameter.offset); i < this.buckets.length; i++) {
      const bucket = this.buckets[i]!;
      const overlap = Math.min(end, bucket.end) - Math.max(parameter.offset, bucket.begin);
      if (overlap <= 0) break;
      this.missing[i]! -= overlap;
      if (this.missing[i] === 0) this.onBucket(bucket);
    }
  }

  private firstBucketAt(offset: number): number {
    const first = this.buckets[0];
    return first === undefined ? 0 : Math.floor(offset / (first.end - first.begin));
  }
}
