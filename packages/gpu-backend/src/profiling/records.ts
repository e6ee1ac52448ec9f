/** @file What a profile is made of: calls of ops, launches within them, spans of the program around them. Times in milliseconds. */

/** A launch of a kernel on a device. */
export interface LaunchRecord {
  readonly kernel: string;
  readBytes: number;
  writtenBytes: number;
  /** JavaScript: when it was recorded. */
  readonly startMs: number;
  endMs: number;
  /** On the device's own clock; undefined where it cannot tell. */
  device?: { readonly beginMs: number; readonly endMs: number };
}

/** A call of a row or of an element-wise program. */
export interface OpRecord {
  readonly op: string;
  readonly flops: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly startMs: number;
  endMs: number;
  readonly launches: LaunchRecord[];
  /** Bytes held after it. */
  usedBytes: number;
  /** Where launches have no times of their own: how long the op takes alone. */
  aloneMs?: number;
}

/** A part of the program: a step, a forward pass. Spans nest. */
export interface SpanRecord {
  readonly name: string;
  readonly startMs: number;
  endMs: number;
}
