/**
 * @file The generic suite: every registered op and sample on a backend, one case for each thing that can be wrong.
 *
 * values: kernel against f64 reference, inputs unwritten · vjp: backward against central differences · second derivative: the vjp is
 * made of ops, or refuses · composite: a fused op against simple ops · reversed, gapped, expanded: the same bits from awkward layouts ·
 * leak: no buffer stays · one case for each twin: the same bits on another backend · hash: the committed bits.
 * Needs no test runner: a case is a name and a function that throws.
 */
import type { Backend } from "../backend/backend.js";
import type { Op } from "../ops/contract.js";
import { opRegistry } from "../ops/registry.js";
import {
  checkComposite,
  checkHash,
  checkLayout,
  checkNoLeak,
  checkNotDifferentiable,
  checkSameBits,
  checkValues,
  checkVjp,
  hasLayout,
} from "./op-checks.js";
import { hashRun, type PreparedSample, prepareSample, runSample, type SampleRun } from "./sample-run.js";
import { checkSecondDerivative, hasSecondDerivative } from "./second-derivative.js";

export interface OpSuiteOptions {
  /** Called once, when the first case runs. The suite disposes it. */
  readonly createBackend: () => Backend;
  /** Backends that must give the same bits, by name, such as "3 threads". */
  readonly twins?: Readonly<Record<string, () => Backend>>;
  /** Committed hashes by `op: sample`; a missing one fails. Without them nothing is compared. */
  readonly hashes?: Readonly<Record<string, string>>;
  /** Default: all. */
  readonly ops?: readonly Op[];
}

export interface SuiteCase {
  readonly op: string;
  readonly sample: string;
  readonly check: string;
  /** `op: sample: check` */
  readonly name: string;
  /** @throws {CheckError} when the backend or the op breaks its contract. */
  readonly run: () => void;
}

export interface OpSuite {
  readonly cases: readonly SuiteCase[];
  /** Disposes the backends. */
  dispose(): void;
}

/** Ops whose contract is a view of contiguous memory: the function that users call copies first. */
const contiguousOnly: ReadonlySet<string> = new Set(["reshape"]);

/**
 * The cases of all ops on one backend.
 * @shape none
 * @source none: ours
 */
export function opSuite(options: OpSuiteOptions): OpSuite {
  const backends: Backend[] = [];
  const lazily = (create: () => Backend): (() => Backend) => {
    let backend: Backend | undefined;
    return () => {
      if (backend === undefined) {
        backend = create();
        backends.push(backend);
      }
      return backend;
    };
  };
  const backend = lazily(options.createBackend);
  const twins = Object.entries(options.twins ?? {}).map(([name, create]) => ({ name, backend: lazily(create) }));
  const cases = (options.ops ?? opRegistry).flatMap((op) =>
    op.samples.flatMap((sample) => casesOf(prepareSample(op, sample), { backend, twins, hashes: options.hashes })),
  );
  return {
    cases,
    dispose: () => {
      for (const made of backends) made.dispose();
    },
  };
}

interface Machines {
  readonly backend: () => Backend;
  readonly twins: readonly { readonly name: string; readonly backend: () => Backend }[];
  readonly hashes: OpSuiteOptions["hashes"];
}

function casesOf(prepared: PreparedSample, { backend, twins, hashes }: Machines): SuiteCase[] {
  const { op, sample } = prepared;
  let first: SampleRun | undefined;
  const run = (): SampleRun => {
    first ??= runSample(backend(), prepared);
    return first;
  };
  const cases: SuiteCase[] = [];
  const add = (check: string, body: () => void): void => {
    cases.push({ op: op.name, sample: sample.name, check, name: `${op.name}: ${sample.name}: ${check}`, run: body });
  };
  add("values", () => checkValues(prepared, run()));
  if (op.notDifferentiable !== undefined) add("no gradient", () => checkNotDifferentiable(prepared, run()));
  else if (sample.checkVjp !== false) add("vjp", () => checkVjp(prepared, run()));
  if (hasSecondDerivative(prepared)) add("second derivative", () => checkSecondDerivative(backend(), prepared));
  if (op.composite !== undefined) add("composite", () => checkComposite(backend(), prepared, run()));
  for (const layout of ["reversed", "gapped", "expanded"] as const) {
    if (contiguousOnly.has(op.name) || !hasLayout(prepared, layout)) continue;
    add(layout, () => checkLayout(backend(), prepared, layout));
  }
  add("leak", () => checkNoLeak(backend(), prepared));
  for (const twin of twins)
    add(twin.name, () => checkSameBits(twin.backend(), prepared, { run: run(), name: twin.name }));
  if (hashes !== undefined) add("hash", () => checkHash(prepared, run(), hashes[`${op.name}: ${sample.name}`]));
  return cases;
}

/**
 * `op: sample` -> 32 hex digits over outputs and gradients, to be committed.
 * @shape none
 * @source none: ours
 */
export function opHashes(backend: Backend, ops: readonly Op[] = opRegistry): Record<string, string> {
  const entries = ops.flatMap((op) =>
    op.samples.map((sample): [string, string] => [
      `${op.name}: ${sample.name}`,
      hashRun(runSample(backend, prepareSample(op, sample))),
    ]),
  );
  return Object.fromEntries(entries);
}
