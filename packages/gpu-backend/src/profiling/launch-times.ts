/**
 * @file Times of launches by the device's own clock: a pair of timestamps for each, resolved when their commands are submitted and read
 * when they have run.
 */
import type { LaunchRecord } from "./records.js";

/** Launches of one query set. */
const setLaunches = 256;
const setBytes = setLaunches * 2 * 8;
const resolveUsage = 0x200 | 0x4; // QUERY_RESOLVE | COPY_SRC
const readUsage = 0x1 | 0x8; // MAP_READ | COPY_DST
const mapRead = 0x1;

interface Page {
  readonly querySet: GPUQuerySet;
  readonly resolved: GPUBuffer;
  readonly readable: GPUBuffer;
  launches: LaunchRecord[];
}

/** Launches that were submitted together. */
export interface SubmittedLaunches {
  readonly submitMs: number;
  readonly launches: readonly LaunchRecord[];
}

export class LaunchTimes {
  readonly submits: SubmittedLaunches[] = [];
  readonly #device: GPUDevice;
  readonly #nowMs: () => number;
  readonly #free: Page[] = [];
  readonly #all: Page[] = [];
  #filling: Page[] = [];
  #reading: Promise<void>[] = [];
  #origin: bigint | undefined;

  constructor(device: GPUDevice, nowMs: () => number) {
    this.#device = device;
    this.#nowMs = nowMs;
  }

  writesOf(launch: LaunchRecord): GPUComputePassTimestampWrites {
    let page = this.#filling.at(-1);
    if (page === undefined || page.launches.length === setLaunches) {
      page = this.#free.pop() ?? this.#createPage();
      this.#filling.push(page);
    }
    const place = 2 * page.launches.length;
    page.launches.push(launch);
    return { querySet: page.querySet, beginningOfPassWriteIndex: place, endOfPassWriteIndex: place + 1 };
  }

  beforeSubmit(encoder: GPUCommandEncoder): void {
    for (const { querySet, resolved, readable, launches } of this.#filling) {
      encoder.resolveQuerySet(querySet, 0, 2 * launches.length, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, 16 * launches.length);
    }
  }

  afterSubmit(): void {
    const pages = this.#filling;
    if (pages.length === 0) return;
    this.#filling = [];
    this.submits.push({ submitMs: this.#nowMs(), launches: pages.flatMap(({ launches }) => launches) });
    for (const page of pages) this.#reading.push(this.#read(page));
  }

  /** Waits until the times of everything submitted are known. */
  async settle(): Promise<void> {
    const reading = this.#reading;
    this.#reading = [];
    await Promise.all(reading);
  }

  dispose(): void {
    for (const { querySet, resolved, readable } of this.#all) {
      querySet.destroy();
      resolved.destroy();
      readable.destroy();
    }
  }

  async #read(page: Page): Promise<void> {
    const { launches, readable } = page;
    await readable.mapAsync(mapRead, 0, 16 * launches.length);
    const stamps = new BigUint64Array(readable.getMappedRange(0, 16 * launches.length).slice(0));
    readable.unmap();
    launches.forEach((launch, i) => {
      const [begin, end] = [stamps[2 * i]!, stamps[2 * i + 1]!];
      // 0 stands for a timestamp that was not written; an end before its begin, for a clock that was set anew.
      if (begin === 0n || end < begin) return;
      this.#origin ??= begin;
      launch.device = { beginMs: this.#ms(begin), endMs: this.#ms(end) };
    });
    page.launches = [];
    this.#free.push(page);
  }

  #ms(stamp: bigint): number {
    return Number(stamp - this.#origin!) / 1e6;
  }

  #createPage(): Page {
    const page: Page = {
      querySet: this.#device.createQuerySet({ type: "timestamp", count: 2 * setLaunches }),
      resolved: this.#device.createBuffer({ size: setBytes, usage: resolveUsage, label: "timestamps" }),
      readable: this.#device.createBuffer({ size: setBytes, usage: readUsage, label: "timestamps to read" }),
      launches: [],
    };
    this.#all.push(page);
    return page;
  }
}
