import { describe, expect, test } from "vitest";
import * as z from "zod";
import { bucketBytesOf } from "./base-config.js";
import type { AnyJob } from "./define-job.js";
import { parseJobConfig, parseOverrides } from "./parse-config.js";

function jobWith(fields: Partial<AnyJob>): AnyJob {
  const never = () => {
    throw new Error("not called");
  };
  return { name: "t", data: never, model: never, loss: never, optimizer: never, schedule: never, ...fields };
}

const job = jobWith({
  config: z.object({
    learningRate: z.number().positive().default(1e-3),
    corpus: z.string().default("a.txt"),
    dims: z.array(z.number()).default([4, 2]),
  }),
  training: { globalBatchSize: 64, microBatchSize: 16 },
});

function codeOf(run: () => unknown): { code: unknown; message: string; fields: unknown } {
  try {
    run();
  } catch (error) {
    const e = error as { code: unknown; message: string; fields: unknown };
    return { code: e.code, message: e.message, fields: e.fields };
  }
  throw new Error("nothing was thrown");
}

describe("parseJobConfig", () => {
  test("takes the job's defaults over the base's, and overrides over both", () => {
    expect(parseJobConfig(job, { totalSteps: "7", learningRate: "0.5", dims: "[1]" })).toEqual({
      globalBatchSize: 64,
      microBatchSize: 16,
      totalSteps: 7,
      evalIntervalSteps: 0,
      checkpointIntervalSteps: 0,
      checkpointIntervalSeconds: 0,
      keepCheckpoints: 0,
      keepBestCheckpoint: false,
      bestMetric: "",
      bestMode: "auto",
      maxGradNorm: 0,
      maxGradValue: 0,
      bucketBytes: 0,
      learningRate: 0.5,
      corpus: "a.txt",
      dims: [1],
    });
  });

  test("keeps text that looks like a number where the key is text", () => {
    expect(parseJobConfig(job, { corpus: "12" }).corpus).toBe("12");
  });

  test("reads its own output back to the same configuration", () => {
    const once = parseJobConfig(job, { corpus: "12", totalSteps: "9" });
    expect(parseJobConfig(job, JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  test("refuses an unknown key and names the one that was meant", () => {
    const { code, message, fields } = codeOf(() => parseJobConfig(job, { globalBatchsize: "8" }));
    expect(code).toBe("E_CONFIG_KEY");
    expect(fields).toMatchObject({ key: "globalBatchsize", suggestion: "globalBatchSize" });
    expect(message).toContain('Did you mean "globalBatchSize"?');
  });

  test("refuses a value of the wrong type with key, value and rule", () => {
    const { code, message, fields } = codeOf(() => parseJobConfig(job, { totalSteps: "many" }));
    expect(code).toBe("E_CONFIG_VALUE");
    expect(fields).toMatchObject({ key: "totalSteps", value: "many" });
    expect(message).toMatchInlineSnapshot(
      `"config: totalSteps is "many"; Invalid input: expected number, received string. Pass --set totalSteps=VALUE."`,
    );
  });

  test("refuses a micro-batch that does not divide the global batch", () => {
    const { code, fields, message } = codeOf(() => parseJobConfig(job, { globalBatchSize: "40" }));
    expect(code).toBe("E_CONFIG_BATCH");
    expect(fields).toEqual({ globalBatchSize: 40, microBatchSize: 16 });
    expect(message).toContain("32 or 48");
  });

  test("refuses a job that defines a key every job has", () => {
    const clash = jobWith({ config: z.object({ totalSteps: z.number().default(1) }) });
    expect(codeOf(() => parseJobConfig(clash)).code).toBe("E_CONFIG_CLASH");
  });
});

describe("parseOverrides", () => {
  test("splits at the first equals sign", () => {
    expect(parseOverrides(["a=b=c", "n=1", "n=2"])).toEqual({ a: "b=c", n: "2" });
  });

  test("refuses a pair without a key", () => {
    expect(codeOf(() => parseOverrides(["=3"])).code).toBe("E_CONFIG_SYNTAX");
  });
});

test("buckets are a quarter of the gradient, at least 1 MiB and at most 4, unless they are set", () => {
  const mebibytesOf = (gradientFloats: number) => bucketBytesOf({ bucketBytes: 0 }, gradientFloats) / 2 ** 20;
  expect([1, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20, 100 * 2 ** 20].map(mebibytesOf)).toEqual([1, 1, 2, 3, 4]);
  expect(bucketBytesOf({ bucketBytes: 64 }, 2 ** 30)).toBe(64);
});
