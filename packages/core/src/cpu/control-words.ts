/**
 * @file The words by which threads share the work of a launch. i32, at controlAddress; a cache line each where threads write often.
 *
 * Protocol. The caller writes kernelId, numItems, chunk and nextItem = 0, sets isOpen, raises `generation` and wakes sleepers. A helper
 * that sees a new generation raises numActive and then looks at isOpen: 1 means that the job stands in the words and stays there until
 * numActive falls again; it takes chunks from nextItem until none is left. The caller takes chunks too, then clears isOpen and waits
 * for numActive = 0. So a helper that wakes late either holds the caller up or finds the job closed; it never mixes two jobs.
 */
export const controlWords = {
  generation: 0,
  isOpen: 16,
  kernelId: 17,
  numItems: 18,
  chunk: 19,
  nextItem: 32,
  numActive: 48,
  /** 1 while the caller sleeps on numActive. */
  isCallerWaiting: 49,
  numSleeping: 64,
  isStopped: 80,
  /** 1 + number of a thread in which a kernel threw. */
  failedThread: 81,
  /** Items computed by thread t, at numItemsOf + t: wraps. */
  numItemsOf: 96,
} as const;
