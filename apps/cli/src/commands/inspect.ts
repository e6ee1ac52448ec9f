/** @file `lockstep inspect PATH`: a run or a checkpoint, in words. Reads files, starts nothing. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import { readRunConfig } from "../run-directory.js";
import { readTensorTable, type TensorRow } from "../tensor-table.js";
import { formatBytes, formatCount, formatTable } from "../terminal/format.js";

type Fields = Readonly<Record<string, unknown>>;

export async function inspect(path: string, flags: { readonly json: boolean }): Promise<ExitStatus> {
  const folder = resolve(process.cwd(), path);
  const description = describePath(path, folder);
  process.stdout.write(flags.json ? `${JSON.stringify(description, null, 2)}\n` : `${inWords(description)}\n`);
  return exitStatus.completed;
}

interface Description {
  readonly kind: "run" | "checkpoint" | "weights";
  readonly path: string;
  readonly summary?: Fields;
  readonly run?: Fields;
  readonly checkpoints?: readonly string[];
  readonly trainer?: Fields;
  readonly files?: readonly { readonly name: string; readonly bytes: number }[];
  readonly tensors?: readonly TensorRow[];
}

function describePath(path: string, absolute: string): Description {
  if (existsSync(join(absolute, "config.json"))) return describeRun(path, absolute);
  if (existsSync(join(absolute, "model.safetensors"))) return describeCheckpoint(path, absolute);
  if (absolute.endsWith(".safetensors") && existsSync(absolute)) {
    return { kind: "weights", path, tensors: readTensorTable(absolute) };
  }
  throw new UsageError(
    `inspect: ${path} is no run, no checkpoint and no safetensors file; PATH must be one of them. Check the path.`,
    { path },
    "E_USAGE_INSPECT",
  );
}

function describeRun(path: string, folder: string): Description {
  const { name, seed, numeric, version, config, files } = readRunConfig(folder);
  const summaryPath = join(folder, "summary.json");
  const checkpointFolder = join(folder, "checkpoints");
  return {
    kind: "run",
    path,
    run: { name, seed, numeric, version, config, numFiles: files.length },
    checkpoints: existsSync(checkpointFolder)
      ? readdirSync(checkpointFolder)
          .filter((entry) => /^step-\d+$/.test(entry))
          .sort()
      : [],
    ...(existsSync(summaryPath) ? { summary: readJson(summaryPath) } : {}),
  };
}

function describeCheckpoint(path: string, folder: string): Description {
  const trainerPath = join(folder, "trainer.json");
  return {
    kind: "checkpoint",
    path,
    files: readdirSync(folder)
      .sort()
      .map((name) => ({ name, bytes: statSync(join(folder, name)).size })),
    tensors: readTensorTable(join(folder, "model.safetensors")),
    ...(existsSync(trainerPath) ? { trainer: readJson(trainerPath) } : {}),
  };
}

function inWords(description: Description): string {
  const lines: string[] = [];
  const { run, summary, checkpoints, trainer, files, tensors } = description;
  if (run) {
    lines.push(
      `run of job "${String(run.name)}", seed ${String(run.seed)}, numeric class ${String(run.numeric)}, lockstep ${String(run.version)}`,
    );
    lines.push(...Object.entries(run.config as Fields).map(([key, value]) => `  ${key} = ${JSON.stringify(value)}`));
    lines.push(
      summary
        ? `status: ${String(summary.status)} after ${String(summary.steps)} steps`
        : "status: no summary.json, so it runs still or was killed",
    );
    if (typeof summary?.evalLoss === "number") lines.push(`held-out loss: ${summary.evalLoss.toFixed(4)}`);
    for (const [name, value] of Object.entries((summary?.metrics ?? {}) as Record<string, number>)) {
      lines.push(`${name}: ${value.toFixed(4)}`);
    }
    if (summary?.paramsSha256) lines.push(`paramsSha256: ${String(summary.paramsSha256)}`);
    lines.push(`checkpoints: ${checkpoints!.length === 0 ? "none" : checkpoints!.join(", ")}`);
  }
  if (trainer)
    lines.push(
      `checkpoint ${basename(description.path)}`,
      ...Object.entries(trainer)
        .filter(([, value]) => typeof value !== "object")
        .map(([key, value]) => `  ${key} = ${String(value)}`),
    );
  if (files) lines.push(...files.map(({ name, bytes }) => `  ${name}  ${formatBytes(bytes)}`));
  if (tensors) {
    const total = tensors.reduce((sum, { numElements }) => sum + numElements, 0);
    lines.push(
      formatTable([
        ["tensor", "dtype", "shape"],
        ...tensors.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(", ")}]`]),
      ]),
    );
    lines.push(`${tensors.length} tensors, ${formatCount(total)} numbers`);
  }
  return lines.join("\n");
}

function readJson(path: string): Fields {
  return JSON.parse(readFileSync(path, "utf8")) as Fields;
}
