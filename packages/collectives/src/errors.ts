/**
 * @file Errors of collectives. `code` is stable, `fields` hold the values, the message is made from them.
 *
 * Message form: `where: what is, with values; what must be. What to do.` A collective's error also says what becomes of
 * the step, so that nobody guesses.
 */

export type CollectiveErrorFields = Readonly<Record<string, unknown>>;

/** Codes of `CollectiveError`. */
export type CollectiveErrorCode =
  | "E_PEER_LOST"
  | "E_PEER_TIMEOUT"
  | "E_GENERATION_CHANGED"
  | "E_NOT_FINITE"
  | "E_NO_WEIGHT"
  | "E_FRAME_REFUSED"
  | "E_HASH"
  | "E_QUEUE_FULL"
  | "E_LINK"
  | "E_COVER"
  | "E_ARGUMENT"
  | "E_DISPOSED";

/**
 * A collective, or a link that carries it, cannot go on. Nothing of a step is applied when one is thrown.
 *
 * One that accuses somebody has the fields `rank` and `workerId`, and `node` when it is about a node; one without `workerId` accuses nobody.
 */
export class CollectiveError extends Error {
  readonly code: CollectiveErrorCode;
  readonly fields: CollectiveErrorFields;

  constructor(
    code: CollectiveErrorCode,
    message: string,
    fields: CollectiveErrorFields = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "CollectiveError";
    this.code = code;
    this.fields = fields;
  }
}

/** Where a collective stands: part of every message about it. */
export interface CollectivePlace {
  readonly where: string;
  readonly step: number;
  readonly generation: number;
  readonly worldSize: number;
}

export interface LatePeer {
  readonly rank: number;
  readonly workerId: string;
  readonly bucket: number;
  readonly numBuckets: number;
  readonly deadlineMs: number;
}

/** A peer did not deliver in time. @source none: ours */
export function peerTimeoutError(place: CollectivePlace, late: LatePeer): CollectiveError {
  return new CollectiveError(
    "E_PEER_TIMEOUT",
    `${place.where}: rank ${late.rank} (worker "${late.workerId}") did not deliver bucket ${late.bucket + 1}/${late.numBuckets} of ` +
      `step ${place.step} within ${late.deadlineMs} ms (generation ${place.generation}, worldSize ${place.worldSize}); every rank ` +
      `must deliver before the deadline. The step is not applied. If this repeats, compare its uplink with bucketBytes.`,
    { ...place, ...late },
  );
}

export interface LostPeer {
  readonly rank: number;
  readonly workerId: string;
  readonly reason: string;
}

/** A peer is gone. @source none: ours */
export function peerLostError(place: CollectivePlace, lost: LostPeer): CollectiveError {
  return new CollectiveError(
    "E_PEER_LOST",
    `${place.where}: rank ${lost.rank} (worker "${lost.workerId}") is gone before step ${place.step} was complete: ${lost.reason} ` +
      `(generation ${place.generation}, worldSize ${place.worldSize}); every rank must stay until it is. The step is not applied.`,
    { ...place, ...lost },
  );
}

/** The group that a call belongs to is no more. @source none: ours */
export function generationChangedError(place: CollectivePlace, reason: string): CollectiveError {
  return new CollectiveError(
    "E_GENERATION_CHANGED",
    `${place.where}: step ${place.step} of generation ${place.generation} was given up: ${reason}. Its node sums are as they were; ` +
      `a new attempt uses them.`,
    { ...place, reason },
  );
}

export interface NotFinite {
  readonly bucket: number;
  /** In the flat gradient. */
  readonly firstIndex: number;
  readonly value: number;
}

/** A node came with a value that is not finite. Accuses who computed it. @source none: ours */
export function notFiniteError(
  place: CollectivePlace,
  what: NotFinite & {
    readonly rank: number;
    readonly workerId: string;
    readonly node: { readonly lo: number; readonly hi: number };
  },
): CollectiveError {
  const { rank, workerId, node } = what;
  const batches = `micro-batches ${node.lo}..${node.hi - 1}`;
  return notFinite(place, `rank ${rank} (worker "${workerId}") delivered for ${batches}`, what);
}

/** All nodes are finite and their sum is not. Accuses nobody. @source none: ours */
export function sumNotFiniteError(place: CollectivePlace, what: NotFinite): CollectiveError {
  return notFinite(place, "the sum over all micro-batches, of which each is finite, has", what);
}

function notFinite(place: CollectivePlace, source: string, what: NotFinite): CollectiveError {
  return new CollectiveError(
    "E_NOT_FINITE",
    `${place.where}: ${source} ${what.value} at element ${what.firstIndex} of the flat gradient (bucket ${what.bucket}, step ${place.step}, ` +
      `generation ${place.generation}); every element must be finite. Nothing was applied. Lower the learning rate or look at that ` +
      `batch's loss.`,
    { ...place, ...what },
  );
}

/** A step had nothing to train on. @source none: ours */
export function noWeightError(place: CollectivePlace, numMicroBatches: number): CollectiveError {
  return new CollectiveError(
    "E_NO_WEIGHT",
    `${place.where}: all ${numMicroBatches} micro-batches of step ${place.step} have weight 0 together; at least one sample or token ` +
      "must be trained on. Nothing was applied.",
    { ...place, numMicroBatches },
  );
}
