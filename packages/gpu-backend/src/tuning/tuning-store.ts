/** @file Where an app keeps what was measured on an adapter. */

/** Texts by key. A store may forget; it need not tell apart who wrote. */
export interface TuningStore {
  /** The text kept under `key`, undefined where there is none. */
  read(key: string): Promise<string | undefined>;
  write(key: string, text: string): Promise<void>;
}
