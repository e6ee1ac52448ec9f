/**
 * @file Reads a job's configuration: defaults, then overrides, checked key by key. Pure.
 *
 * A job carries its own copy of zod inside its bundle, so nothing here asks `instanceof`: only `shape` and `safeParse` are used.
 */
import type * as z from "zod";
import { ConfigError } from "../errors.js";
import { type BaseConfig, baseConfigKeys, baseConfigSchema } from "./base-config.js";
import { findClosestName } from "./closest-name.js";
import type { AnyJob, ConfigSchema } from "./define-job.js";

/** A parsed configuration: plain data that JSON keeps. */
export type ParsedConfig = BaseConfig & Readonly<Record<string, unknown>>;

type FieldSchema = z.core.$ZodType & Pick<z.ZodType, "safeParse">;

/**
 * Configuration of a job with overrides. String values are what a person typed after `--set key=`: they are read as JSON where
 * the key's type asks for it, else kept as text.
 *
 * @throws {ConfigError} E_CONFIG_KEY for an unknown key, E_CONFIG_VALUE for a value of the wrong type or range,
 *   E_CONFIG_BATCH when microBatchSize does not divide globalBatchSize, E_CONFIG_CLASH when a job defines a key every job has.
 */
export function parseJobConfig(job: AnyJob, overrides: Readonly<Record<string, unknown>> = {}): ParsedConfig {
  const own = ownShape(job.config);
  const fields = new Map<string, FieldSchema>(Object.entries(baseConfigSchema.shape));
  for (const [key, schema] of own) {
    if (fields.has(key)) {
      throw new ConfigError(
        `defineJob: config of job "${job.name}" defines "${key}", a key every job has; its default must stand in training. Write training: { ${key}: ... }.`,
        { key, job: job.name },
        "E_CONFIG_CLASH",
      );
    }
    fields.set(key, schema);
  }
  rejectUnknownKeys(overrides, [...fields.keys()], "config");
  rejectUnknownKeys(job.training ?? {}, baseConfigKeys, `training of job "${job.name}"`);

  const config: Record<string, unknown> = {};
  for (const [key, schema] of fields) {
    const fallback = (job.training as Record<string, unknown> | undefined)?.[key];
    config[key] = parseField(key, schema, key in overrides ? overrides[key] : fallback);
  }
  const parsed = config as ParsedConfig;
  if (parsed.globalBatchSize % parsed.microBatchSize !== 0) {
    throw new ConfigError(
      `config: globalBatchSize is ${parsed.globalBatchSize}, microBatchSize is ${parsed.microBatchSize}; microBatchSize must divide globalBatchSize. ${divisorAdvice(parsed)}`,
      { globalBatchSize: parsed.globalBatchSize, microBatchSize: parsed.microBatchSize },
      "E_CONFIG_BATCH",
    );
  }
  return parsed;
}

/** Micro-batches of a step, M. */
export function numMicroBatchesOf(config: BaseConfig): number {
  return config.globalBatchSize / config.microBatchSize;
}

/**
 * `key=value` pairs of `--set`, in order; a later one wins.
 *
 * @throws {ConfigError} E_CONFIG_SYNTAX for a pair without "=" or without a key.
 */
export function parseOverrides(pairs: readonly string[]): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new ConfigError(
        `--set: got "${pair}"; it must be key=value. For example: --set totalSteps=200.`,
        { pair },
        "E_CONFIG_SYNTAX",
      );
    }
    overrides[pair.slice(0, at).trim()] = pair.slice(at + 1);
  }
  return overrides;
}

function ownShape(schema: ConfigSchema | undefined): [string, FieldSchema][] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape) as [string, FieldSchema][];
}

function rejectUnknownKeys(given: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const suggestion = findClosestName(key, known);
    throw new ConfigError(
      `${where}: there is no key "${key}"; it must be one of ${known.join(", ")}.${suggestion === undefined ? "" : ` Did you mean "${suggestion}"?`}`,
      { key, known, ...(suggestion === undefined ? {} : { suggestion }) },
      "E_CONFIG_KEY",
    );
  }
}

function parseField(key: string, schema: FieldSchema, value: unknown): unknown {
  const attempts = typeof value === "string" ? [...jsonOf(value), value] : [value];
  let issue = "";
  for (const attempt of attempts) {
    const result = schema.safeParse(attempt);
    if (result.success) return result.data;
    issue ||= result.error.issues
      .map((i) => [i.path.join("."), i.message].filter((s) => s !== "").join(": "))
      .join("; ");
  }
  const shown = typeof value === "string" ? `"${value}"` : JSON.stringify(value);
  throw new ConfigError(
    `config: ${key} is ${shown ?? "missing"}; ${issue}. ${value === undefined ? `Give the key a default, or pass` : "Pass"} --set ${key}=VALUE.`,
    { key, value, issue },
    "E_CONFIG_VALUE",
  );
}

/** The text read as JSON, if it is JSON. */
function jsonOf(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

function divisorAdvice({ globalBatchSize: g, microBatchSize: b }: BaseConfig): string {
  const above = Math.ceil(g / b) * b;
  const below = Math.floor(g / b) * b;
  const choices = below > 0 ? `${below} or ${above}` : `${above}`;
  return `For example, globalBatchSize ${choices}.`;
}
