/** @file The flags that several commands share: how they are declared, read and refused. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../exit-status.js";

export type LogFormat = "pretty" | "json";
export type NumericClass = "strict" | "fused";

/** What `addJobFlags` reads. */
export interface JobFlags {
  readonly out?: string;
  readonly steps?: number;
  readonly seed?: number;
  readonly set: readonly string[];
  readonly initFrom?: string;
  readonly resume?: string | true;
  readonly fork?: boolean;
}

/** Where a worker computes gradients: "auto" takes a GPU where there is a real one. */
export type BackendName = "cpu" | "webgpu" | "auto";

/** In how many bits a GPU keeps what it computes gradients from. */
export type Precision = "f32" | "f16";

/** What takes the optimizer's steps while a worker with a GPU is alone. */
export type Updater = "cpu" | "device";

/** What `addComputeFlags` reads. */
export interface ComputeFlags {
  readonly backend: readonly BackendName[];
  readonly precision: Precision;
  readonly numeric?: NumericClass;
  readonly threads?: number;
  /** False for --no-record: steps on a GPU are not replayed. */
  readonly record?: boolean;
  readonly update?: Updater;
}

/** What `addLogFlags` reads. */
export interface LogFlags {
  readonly logFormat: LogFormat;
  readonly quiet: boolean;
}

export function addJobFlags(command: Command): Command {
  return command
    .option("--out <dir>", "run directory (default: runs/<name>-<time>)")
    .option("--steps <n>", "stop after step N; never part of the job's configuration", count)
    .option("--seed <s>", "seed of weights, dropout and sampling (default: 0)", countOrZero)
    .option("--set <key=value>", "set a key of the job's configuration; may be repeated", collect, [])
    .option("--init-from <file>", "start from the weights of this safetensors file, or of this checkpoint or run")
    .option("--resume [dir]", "go on with the run in DIR (default: --out, else the newest run)")
    .option("--fork", "with --resume: go on with a copied run directory, as a run of its own");
}

export function addComputeFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--backend <names>", "cpu, webgpu or auto, or a list with one entry for each local worker")
        .argParser(backends)
        .default(["cpu"], "cpu"),
    )
    .addOption(precisionFlag())
    .addOption(updateFlag())
    .addOption(numericFlag())
    .option("--no-record", "run every step on a GPU op by op, instead of replaying what the first ones launched")
    .option("--threads <n>", "threads of each worker (default: cores divided by local workers)", count);
}

export function precisionFlag(): Option {
  return new Option("--precision <bits>", "how a GPU keeps large tensors; it computes in f32 in both")
    .choices(["f32", "f16"])
    .default("f32");
}

export function updateFlag(): Option {
  return new Option("--update <what>", "what takes the optimizer's steps while a worker with a GPU is alone")
    .choices(["cpu", "device"])
    .default("cpu");
}

export function numericFlag(): Option {
  return new Option("--numeric <class>", "how CPU workers round (default: strict)").choices(["strict", "fused"]);
}

export function lossScaleFlag(): Option {
  return new Option(
    "--loss-scale <n>",
    "loss scale with which workers of --precision f16 begin, a power of two (default: 65536)",
  ).argParser(powerOfTwo);
}

export function addLogFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--log-format <format>", "how progress is written").choices(["pretty", "json"]).default("pretty"),
    )
    .option("--quiet", "print errors only", false);
}

/** A whole number from 1. */
export function count(text: string): number {
  return wholeNumber(text, 1);
}

/** A whole number from 0. */
export function countOrZero(text: string): number {
  return wholeNumber(text, 0);
}

export function port(text: string): number {
  const value = wholeNumber(text, 0);
  if (value > 65_535) throw new InvalidArgumentError("it must be a port, 0 to 65535.");
  return value;
}

/** A power of two from 1 to 2^24. */
function powerOfTwo(text: string): number {
  const value = wholeNumber(text, 1);
  if ((value & (value - 1)) !== 0 || value > 16_777_216)
    throw new InvalidArgumentError("it must be a power of two, 1 to 16777216.");
  return value;
}

/** A number from 0 to 1. */
export function share(text: string): number {
  const value = amount(text);
  if (value > 1) throw new InvalidArgumentError("it must be a share, 0 to 1.");
  return value;
}

/** A number from 0. */
export function amount(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError("it must be a number, 0 or more.");
  return value;
}

function wholeNumber(text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new InvalidArgumentError(`it must be a whole number, ${least} or more.`);
  }
  return value;
}

/** For a flag that may be repeated. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

/** Reads `--backend`: one name, or one for each local worker. */
function backends(text: string): readonly BackendName[] {
  return text.split(",").map((part) => {
    const name = part.trim();
    if (name === "cpu" || name === "auto" || name === "webgpu") return name;
    throw new InvalidArgumentError(`"${name}" is no backend; it must be cpu, webgpu or auto.`);
  });
}

/** @throws {UsageError} E_USAGE_BACKEND when a CPU class is asked for together with a GPU. */
export function refuseMixedClasses(command: string, { backend, numeric }: ComputeFlags): void {
  if (numeric === undefined || !backend.includes("webgpu")) return;
  throw new UsageError(
    `${command}: --numeric ${numeric} asks for the bits of the CPU, and --backend webgpu computes on a GPU, which rounds otherwise; there can be one of the two. Leave --numeric out, or use --backend cpu.`,
    { numeric, backend },
    "E_USAGE_BACKEND",
  );
}

/** @throws {UsageError} E_USAGE_UPDATE when steps are to be taken on a device, and there is none, or it keeps 16 bits. */
export function refuseUpdatesOnCpu(
  command: string,
  { backend, precision, update }: Pick<ComputeFlags, "backend" | "precision" | "update">,
): void {
  if (update !== "device") return;
  const isCpu = backend.every((name) => name === "cpu");
  if (!isCpu && precision !== "f16") return;
  const reason = isCpu
    ? `--backend is ${backend.join(",")}; there is no device to take steps on. Give --backend webgpu`
    : "with --precision f16 weights would lose small updates; steps are the CPU's then";
  throw new UsageError(
    `${command}: --update device was given, and ${reason}, or leave --update out.`,
    { backend, precision, update },
    "E_USAGE_UPDATE",
  );
}

/** @throws {UsageError} E_USAGE_PRECISION when 16 bits are asked for and no GPU. */
export function refuseHalvesOnCpu(
  command: string,
  { backend, precision }: Pick<ComputeFlags, "backend" | "precision">,
): void {
  if (precision !== "f16" || backend.some((name) => name !== "cpu")) return;
  throw new UsageError(
    `${command}: --precision f16 is how a GPU keeps its tensors, and --backend is ${backend.join(",")}; a CPU computes in f32. Give --backend webgpu, or leave --precision out.`,
    { backend, precision },
    "E_USAGE_PRECISION",
  );
}
