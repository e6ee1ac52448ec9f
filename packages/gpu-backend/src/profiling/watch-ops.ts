/** @file Watches what is asked of a backend: every row of its kernel table and every element-wise program, until it is told to stop. */
import type { Backend, TensorView } from "@lockstep/core";
import type { KernelTable } from "@lockstep/core/backend";
import { type OpWork, workOfProgram, workOfRow } from "./row-work.js";

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

/**
 * Tells `observer` of every call, until the function that it returns is called. What a backend asks of its own rows within a call is part
 * of that call.
 */
export function watchOps(backend: Backend, observer: OpObserver): () => void {
  let depth = 0;
  const watched = <T>(call: () => WatchedCall, run: () => T): T => {
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
  const { kernels } = backend;
  const rows = Object.entries(kernels).map(([name, row]) => {
    const op = name as keyof KernelTable;
    const run: Row = (...args) => (row as Row).apply(kernels, [...args]);
    const watching: Row = (...args) => {
      const call = (): WatchedCall => {
        const work = workOfRow(op, args as unknown as Parameters<KernelTable[typeof op]>);
        return { op, key: op, work, args, run: (other) => run(...other) };
      };
      return watched(call, () => run(...args));
    };
    return [name, watching] as const;
  });
  const elementwise = backend.elementwise.bind(backend);
  const watchedElementwise: Backend["elementwise"] = (program, inputs, scalars, outputs) => {
    const run = (args: readonly unknown[]): void => {
      const [otherInputs, otherOutputs] = args as [readonly TensorView[], readonly TensorView[]];
      elementwise(program, otherInputs, scalars, otherOutputs);
    };
    const call = (): WatchedCall => {
      const work = workOfProgram(program, inputs, outputs);
      return { op: `elementwise ${program.name}`, key: program.key, work, args: [inputs, outputs], run };
    };
    watched(call, () => elementwise(program, inputs, scalars, outputs));
  };
  Object.defineProperty(backend, "kernels", { value: Object.fromEntries(rows), configurable: true, writable: true });
  Object.defineProperty(backend, "elementwise", { value: watchedElementwise, configurable: true, writable: true });
  return () => {
    Object.defineProperty(backend, "kernels", { value: kernels, configurable: true, writable: true, enumerable: true });
    // The method of the class shows again.
    Reflect.deleteProperty(backend, "elementwise");
  };
}
