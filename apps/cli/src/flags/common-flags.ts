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

/** What `addComputeFlags` reads. */
export interface ComputeFlags {
  readonly backend: readonly string[];
  readonly numeric?: NumericClass;
  readonly threads?: number;
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
      new Option("--backend <names>", "cpu, or a list with one entry per local worker")
        .argParser(backends)
        .default(["cpu"], "cpu"),
    )
    .addOption(numericFlag())
    .option("--threads <n>", "threads of each worker (default: cores divided by local workers)", count);
}

export function numericFlag(): Option {
  return new Option("--numeric <class>", "how CPU workers round (default: strict)").choices(["strict", "fused"]);
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

/** Reads `--backend`. Everything but the CPU is a feature to come, and says so. */
function backends(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    if (name === "cpu" || name === "auto") continue;
    if (name === "webgpu") {
      throw new UsageError(
        `--backend: got "webgpu", which this version cannot run yet; it must be cpu or auto. Leave --backend out to train on the CPU.`,
        { backend: name },
        "E_FLAG_NOT_YET",
      );
    }
    throw new InvalidArgumentError(`"${name}" is no backend; it must be cpu, webgpu or auto.`);
  }
  return names;
}
