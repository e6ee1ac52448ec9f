/** @file Watches what is asked of a backend: every row of its kernel table and every element-wise program, until it is told to stop. */
import type { Backend, TensorView } from "@lockstep/core";
import type { KernelTable, LateResults } from "@lockstep/core/backend";
import { type KernelRow, type OpWork, workOfLate, workOfProgram, workOfRow } from "./row-work.js";

/** One call, before it runs. */
export interface WatchedCall {
  /** The row, or "elementwise NAME". */
  readonly op: string;
  /** What is computed: calls of equal keys and arguments of equal shapes do the same. */
  readonly key: string;
  readonly work: OpWork;
  /** With the views that it reads and writes. */
  readonly args: readonly unknown[];
  /** Runs the same op on other arguments. */
  readonly run: (args: readonly unknown[]) => unknown;
}

export interface OpObserver {
  beginOp(call: WatchedCall): void;
  endOp(): void;
}

type Row = (...args: readonly unknown[]) => unknown;
type Watched = <T>(call: () => WatchedCall, run: () => T) => T;

/**
 * Tells `observer` of every call, until the function that it returns is called. What a backend asks of its own rows within a call is part
 * of that call.
 */
export function watchOps(backend: Backend, observer: OpObserver): () => void {
  let depth = 0;
  const watched: Watched = (call, run) => {
    if (depth > 0) return run();
    depth++;
    observer.beginOp(call());
    try {
      return run();
    } finally {
      observer.endOp();
      depth--;
    }
  };
  const putBack = [
    replace(backend, "kernels", watchedKernels(backend.kernels, watched)),
    replace(backend, "elementwise", watchedElementwise(backend.elementwise.bind(backend), watched)),
  ];
  const { elementwiseRuns, late } = backend;
  if (elementwiseRuns !== undefined) {
    putBack.push(replace(backend, "elementwiseRuns", watchedRuns(elementwiseRuns.bind(backend), watched)));
  }
  if (late !== undefined) putBack.push(replace(backend, "late", watchedLate(late, watched)));
  return () => {
    for (const undo of putBack) undo();
  };
}

/** Puts a property of the object's own in the place of what there is; undone, that shows again. */
function replace<K extends keyof Backend>(backend: Backend, name: K, value: Backend[K]): () => void {
  const own = Object.getOwnPropertyDescriptor(backend, name);
  Object.defineProperty(backend, name, { value, configurable: true, writable: true, enumerable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(backend, name);
    else Object.defineProperty(backend, name, own);
  };
}

function watchedKernels(kernels: KernelTable, watched: Watched): KernelTable {
  const rows = Object.entries(kernels).map(([name, row]) => {
    const run: Row = (...args) => (row as Row).apply(kernels, [...args]);
    if (name === "attentionSaves") return [name, run] as const;
    const op = name as KernelRow;
    const watching: Row = (...args) => {
      const call = (): WatchedCall => {
        const work = workOfRow(op, args as unknown as Parameters<KernelTable[typeof op]>);
        return { op, key: op, work, args, run: (other) => run(...other) };
      };
      return watched(call, () => run(...args));
    };
    return [name, watching] as const;
  });
  return Object.fromEntries(rows) as unknown as KernelTable;
}

function watchedElementwise(elementwise: Backend["elementwise"], watched: Watched): Backend["elementwise"] {
  return (program, inputs, scalars, outputs) => {
    const run = (args: readonly unknown[]): void => {
      const [otherInputs, otherOutputs] = args as [readonly TensorView[], readonly TensorView[]];
      elementwise(program, otherInputs, scalars, otherOutputs);
    };
    const call = (): WatchedCall => {
      const work = workOfProgram(program, [{ inputs, outputs }]);
      return { op: `elementwise ${program.name}`, key: program.key, work, args: [inputs, outputs], run };
    };
    watched(call, () => elementwise(program, inputs, scalars, outputs));
  };
}

type ElementwiseRuns = NonNullable<Backend["elementwiseRuns"]>;

function watchedRuns(elementwiseRuns: ElementwiseRuns, watched: Watched): ElementwiseRuns {
  return (program, scalars, runs) => {
    const call = (): WatchedCall => ({
      op: `elementwise ${program.name}`,
      key: `${program.key} of several`,
      work: workOfProgram(program, runs),
      args: [runs],
      run: ([other]) => elementwiseRuns(program, scalars, other as typeof runs),
    });
    watched(call, () => elementwiseRuns(program, scalars, runs));
  };
}

function watchedLate(late: LateResults, watched: Watched): LateResults {
  const one = <T>(
    op: keyof LateResults,
    views: readonly TensorView[],
    { work, run }: { readonly work: OpWork; readonly run: (views: readonly TensorView[]) => T },
  ): T =>
    watched(
      () => ({ op, key: op, work, args: [views], run: ([other]) => run(other as typeof views) }),
      () => run(views),
    );
  const reading = (views: readonly TensorView[]): OpWork =>
    workOfLate(views, { flopsOfElement: 0, reads: 1, writes: 0 });
  return {
    clipNorm: (tensors, maxNorm) => {
      const isClipping = maxNorm !== Number.POSITIVE_INFINITY;
      const passes = isClipping
        ? { flopsOfElement: 3, reads: 2, writes: 1 }
        : { flopsOfElement: 2, reads: 1, writes: 0 };
      return one("clipNorm", tensors, {
        work: workOfLate(tensors, passes),
        run: (views) => late.clipNorm(views, maxNorm),
      });
    },
    normalize: (x, eps) => {
      const work = workOfLate([x], { flopsOfElement: 3, reads: 2, writes: 1 });
      one("normalize", [x], { work, run: ([view]) => late.normalize(view!, eps) });
    },
    findNonFinite: (x) => one("findNonFinite", [x], { work: reading([x]), run: ([view]) => late.findNonFinite(view!) }),
    hash: (tensors) => one("hash", tensors, { work: reading(tensors), run: (views) => late.hash(views) }),
    hashBlocks: (tensors, blockWords) =>
      one("hashBlocks", tensors, { work: reading(tensors), run: (views) => late.hashBlocks(views, blockWords) }),
  };
}
