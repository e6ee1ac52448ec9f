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
import {
  hashRun,
  type PreparedSample,
  prepareSample,
  runSample,
  type SampleRun,
  type StoredFloats,
} from "./sample-run.js";
import { checkSecondDerivative, hasSecondDerivative } from "./second-derivative.js";

export interface OpSuiteOptions {
  /** Called once, when the first case runs. The suite disposes it. */
  readonly createBackend: () => Backend | Promise<Backend>;
  /** Backends that must give the same bits, by name, such as "3 threads". */
  readonly twins?: Readonly<Record<string, () => Backend | Promise<Backend>>>;
  /** Committed hashes by `op: sample`; a missing one fails. Without them nothing is compared. */
  readonly hashes?: Readonly<Record<string, string>>;
  /** Default: all. */
  readonly ops?: readonly Op[];
  /**
   * How the backend stores f32, where it is in fewer bits: inputs are rounded that way, and tolerances are those of its unit. Second derivatives
   * are not compared then: differences of differences say nothing at that precision.
   */
  readonly stored?: StoredFloats;
}

export interface SuiteCase {
  readonly op: string;
  readonly sample: string;
  readonly check: string;
  /** `op: sample: check` */
  readonly name: string;
  /** Rejects with a CheckError when the backend or the op breaks its contract. */
  readonly run: () => Promise<void>;
}

export interface OpSuite {
  readonly cases: readonly SuiteCase[];
  /** Disposes the backends. */
  dispose(): Promise<void>;
}

/** Ops whose contract is a view of contiguous memory: the function that users call copies first. */
const contiguousOnly: ReadonlySet<string> = new Set(["reshape"]);

/**
 * The cases of all ops on one backend.
 * @shape none
 * @source none: ours
 */
export function opSuite(options: OpSuiteOptions): OpSuite {
  const backends: Promise<Backend>[] = [];
  const lazily = (create: () => Backend | Promise<Backend>): (() => Promise<Backend>) => {
    let backend: Promise<Backend> | undefined;
    return () => {
      if (backend === undefined) {
        backend = Promise.resolve(create());
        backends.push(backend);
      }
      return backend;
    };
  };
  const backend = lazily(options.createBackend);
  const twins = Object.entries(options.twins ?? {}).map(([name, create]) => ({ name, backend: lazily(create) }));
  const cases = (options.ops ?? opRegistry).flatMap((op) =>
    op.samples.flatMap((sample) =>
      casesOf(prepareSample(op, sample, options.stored), { backend, twins, hashes: options.hashes }),
    ),
  );
  return {
    cases,
    dispose: async () => {
      for (const made of backends) (await made).dispose();
    },
  };
}

interface Machines {
  readonly backend: () => Promise<Backend>;
  readonly twins: readonly { readonly name: string; readonly backend: () => Promise<Backend> }[];
  readonly hashes: OpSuiteOptions["hashes"];
}

function casesOf(prepared: PreparedSample, { backend, twins, hashes }: Machines): SuiteCase[] {
  const { op, sample } = prepared;
  let first: Promise<SampleRun> | undefined;
  const run = (): Promise<SampleRun> => {
    first ??= backend().then((made) => runSample(made, prepared));
    return first;
  };
  const cases: SuiteCase[] = [];
  const add = (check: string, body: () => Promise<void>): void => {
    cases.push({ op: op.name, sample: sample.name, check, name: `${op.name}: ${sample.name}: ${check}`, run: body });
  };
  add("values", async () => checkValues(prepared, await run()));
  if (op.notDifferentiable !== undefined) {
    add("no gradient", async () => checkNotDifferentiable(prepared, await run()));
  } else if (sample.checkVjp !== false) add("vjp", async () => checkVjp(prepared, await run()));
  if (prepared.stored === undefined && hasSecondDerivative(prepared)) {
    add("second derivative", async () => checkSecondDerivative(await backend(), prepared));
  }
  if (op.composite !== undefined) {
    add("composite", async () => checkComposite(await backend(), prepared, await run()));
  }
  for (const layout of ["reversed", "gapped", "expanded"] as const) {
    if (contiguousOnly.has(op.name) || !hasLayout(prepared, layout)) continue;
    add(layout, async () => checkLayout(await backend(), prepared, layout));
  }
  add("leak", async () => checkNoLeak(await backend(), prepared));
  for (const twin of twins) {
    add(twin.name, async () => checkSameBits(await twin.backend(), prepared, { run: await run(), name: twin.name }));
  }
  if (hashes !== undefined) {
    add("hash", async () => checkHash(prepared, await run(), hashes[`${op.name}: ${sample.name}`]));
  }
  return cases;
}

/**
 * `op: sample` -> 32 hex digits over outputs and gradients, to be committed.
 * @shape none
 * @source none: ours
 */
export async function opHashes(backend: Backend, ops: readonly Op[] = opRegistry): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const op of ops) {
    for (const sample of op.samples) {
      hashes[`${op.name}: ${sample.name}`] = hashRun(await runSample(backend, prepareSample(op, sample)));
    }
  }
  return hashes;
}
