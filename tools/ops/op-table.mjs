/**
 * @file The table of ops: what proves each of them, and what is missing. Pure: it counts what it is given.
 *
 * cpu kernel: samples whose values agree with the f64 reference · cpu gradient: samples whose gradient agrees with central differences, or
 * why there is none · golden: tests against PyTorch's numbers in which the op ran · thread hash: samples with a committed hash in every
 * numeric class, which the op suite compares for 1, 2, 3, 5 and 8 threads · webgpu node, webgpu browser: values and gradients there, passed
 * of all, or "not run" where nothing could.
 */

/** Ops that PyTorch's numbers cannot be compared with, each with its reason. One that gets a golden test after all must go from here. */
export const withoutGolden = {
  dropout: "draws its own random numbers",
};

/**
 * @param ops the registry
 * @param outcomes of the suite's cases: { op, sample, check, error }
 * @param hashes numeric class -> "op: sample" -> hash
 * @param golden op name -> number of golden tests
 * @param gpu column -> { driver, outcomes }, or { reason } where it was not run
 * @param isGpuRequired whether a column that was not run is missing
 */
export function opTable({ ops, outcomes, hashes, golden, gpu = {}, isGpuRequired = false, excused = withoutGolden }) {
  const rows = ops.map((op) => rowOf(op, { outcomes, hashes, golden, gpu, excused }));
  const stale = Object.keys(excused).filter((name) => (golden[name] ?? 0) > 0 || !ops.some((op) => op.name === name));
  const notes = Object.entries(gpu).map(([column, { driver, reason }]) => {
    const isRun = reason === undefined;
    return { isRun, text: `${column}: ${isRun ? `on ${driver}` : `not run: ${reason}`}` };
  });
  const missing = [
    ...rows.flatMap(({ op, cells }) =>
      Object.entries(cells).flatMap(([column, { text, isMissing }]) =>
        isMissing ? [`${op}: ${column}: ${text}`] : [],
      ),
    ),
    ...stale.map((name) => `${name}: golden: is excused, but has a golden test or is no op`),
    ...(isGpuRequired ? notes.filter(({ isRun }) => !isRun).map(({ text }) => text) : []),
  ];
  return { rows, missing, notes: notes.map(({ text }) => text) };
}

function rowOf(op, { outcomes, hashes, golden, gpu, excused }) {
  const keys = op.samples.map((sample) => `${op.name}: ${sample.name}`);
  const own = outcomes.filter((outcome) => outcome.op === op.name);
  const hashed = keys.filter((key) => Object.values(hashes).every((byKey) => byKey[key] !== undefined));
  const count = golden[op.name] ?? 0;
  const reason = excused[op.name];
  const cells = {
    "cpu kernel": counted(own.filter(({ check }) => check === "values")),
    "cpu gradient": gradientCell(op, own),
    golden:
      count > 0
        ? { text: String(count), isMissing: false }
        : { text: reason ? `none: ${reason}` : "none", isMissing: reason === undefined },
    "thread hash": {
      text: `${hashed.length}/${keys.length}`,
      isMissing: keys.length === 0 || hashed.length < keys.length || Object.keys(hashes).length === 0,
    },
    ...Object.fromEntries(Object.entries(gpu).map(([column, found]) => [column, gpuCell(op, found)])),
  };
  return { op: op.name, cells };
}

function gradientCell(op, own) {
  if (op.notDifferentiable === undefined) return counted(own.filter(({ check }) => check === "vjp"));
  const refused = counted(own.filter(({ check }) => check === "no gradient"));
  return { text: `none: ${op.notDifferentiable}`, isMissing: refused.isMissing };
}

function gpuCell(op, { outcomes, reason }) {
  if (reason !== undefined) return { text: "not run", isMissing: false };
  return counted(outcomes.filter((outcome) => outcome.op === op.name));
}

/** Passed of all. None at all is as bad as one that fails. */
function counted(outcomes) {
  const passed = outcomes.filter(({ error }) => error === undefined).length;
  return { text: `${passed}/${outcomes.length}`, isMissing: outcomes.length === 0 || passed < outcomes.length };
}

/** The table as text; a cell that is missing has a "!" before it. */
export function formatOpTable({ rows, missing, notes }) {
  const columns = ["op", ...Object.keys(rows[0]?.cells ?? {})];
  const lines = rows.map(({ op, cells }) => [
    op,
    ...Object.values(cells).map((cell) => (cell.isMissing ? "! " : "") + cell.text),
  ]);
  const widths = columns.map((column, i) => Math.max(column.length, ...lines.map((line) => line[i].length)));
  const text = [columns, ...lines].map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  );
  const summary =
    missing.length === 0
      ? `${rows.length} ops, nothing missing`
      : `${rows.length} ops, ${missing.length} cells missing:\n${missing.map((line) => `  ${line}`).join("\n")}`;
  return [...text, "", ...notes, summary].join("\n");
}
