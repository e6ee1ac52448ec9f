import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createProgram, runProgram } from "./program.js";

let stderr = "";
let stdout = "";
beforeEach(() => {
  stderr = "";
  stdout = "";
  vi.stubEnv("LOCKSTEP_TOKEN", undefined);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    stderr += String(text);
    return true;
  });
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += String(text);
    return true;
  });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test.each([
  ["an unknown command, with what was probably meant", ["runn", "x"], "Did you mean run?"],
  ["an unknown flag, with what was probably meant", ["run", "x", "--step", "3"], "Did you mean --steps?"],
  ["an unknown command among the others", ["serve"], "unknown command 'serve'"],
  ["a missing argument", ["run"], "missing required argument 'job'"],
  ["an argument too many", ["doctor", "x"], "too many arguments"],
  ["a count that is no number", ["run", "x", "--steps", "ten"], "it must be a whole number, 1 or more"],
  ["a count of nought", ["run", "x", "--workers", "0"], "it must be a whole number, 1 or more"],
  ["an unknown numeric class", ["run", "x", "--numeric", "fast"], "Allowed choices are strict, fused"],
  ["an unknown log format", ["run", "x", "--log-format", "xml"], "Allowed choices are pretty, json"],
  ["an unknown backend", ["run", "x", "--backend", "cuda"], '"cuda" is no backend; it must be cpu, webgpu or auto'],
  ["a GPU in a CPU class", ["run", "x", "--backend", "webgpu", "--numeric", "strict"], "there can be one of the two"],
  ["two backends for one worker", ["worker", "ws://h:1", "--backend", "cpu,webgpu"], "E_USAGE_BACKEND"],
  ["16 bits on a CPU", ["run", "x", "--precision", "f16"], "run: --precision f16 is how a GPU keeps its tensors"],
  ["16 bits on a worker's CPU", ["worker", "ws://h:1", "--precision", "f16", "--backend", "cpu"], "E_USAGE_PRECISION"],
  ["16 bits for a check on a CPU", ["check", "x", "--precision", "f16"], "E_USAGE_PRECISION"],
  ["an unknown precision", ["run", "x", "--precision", "bf16"], "Allowed choices are f32, f16"],
  ["a loss scale that is no power of two", ["run", "x", "--loss-scale", "1000"], "it must be a power of two"],
  ["a port past the last", ["coordinator", "x", "--port", "65536"], "it must be a port, 0 to 65535"],
  ["a job that is not there", ["run", "no-such-folder/job.ts"], "there is no no-such-folder/job.ts"],
  ["a URL that is none", ["worker", "http://h:1"], "it must be ws://HOST:PORT"],
  ["a URL that is none, for status", ["status", "http://h:1", "--token", "12345678"], "status: URL is"],
  ["status without a token", ["status", "ws://h:1"], "E_USAGE_TOKEN"],
  ["chaos with a single worker", ["run", "x", "--chaos", "1"], "there must be at least 2"],
  ["a run that is not there", ["evaluate", "no-such-run"], "holds no config.json"],
  ["a path that is nothing known", ["inspect", "package.json"], "is no run, no checkpoint and no safetensors file"],
  ["a profile of no steps", ["profile", "x", "--steps", "0"], "it must be a whole number, 1 or more"],
  ["generate without a prompt", ["generate", "r"], "required option '--prompt <text>' not specified"],
])("exits 2 for %s", async (_what, args, message) => {
  expect(await runProgram(args)).toBe(2);
  expect(stderr).toContain(message);
  expect(stdout).toBe("");
});

test("--version and --help end with 0", async () => {
  expect(await runProgram(["--version"])).toBe(0);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(await runProgram(["run", "--help"])).toBe(0);
});

test("has the commands and flags that other programs rely on", () => {
  const flagsOf = Object.fromEntries(
    createProgram(() => {}).commands.map((command) => [
      command.name(),
      command.options
        .filter(({ hidden }) => !hidden)
        .map(({ long }) => long!.slice(2))
        .sort()
        .join(" "),
    ]),
  );
  expect(flagsOf).toMatchInlineSnapshot(`
    {
      "check": "backend no-record numeric precision seed set threads update",
      "coordinator": "audit fork host init-from join-timeout log-format loss-scale max-workers min-workers numeric out port quiet resume seed set state-transfer-rate steps token token-file",
      "doctor": "json",
      "evaluate": "init-from json set threads",
      "generate": "max-tokens prompt seed temperature threads top-k top-p",
      "inspect": "json",
      "profile": "backend json out precision seed set steps threads update",
      "report": "curves-only out samples threads",
      "run": "audit backend chaos fork init-from log-format loss-scale no-record numeric out precision quiet resume seed set steps threads update workers",
      "status": "json token token-file",
      "worker": "backend cache listen log-format name no-record numeric precision quiet reconnect-timeout threads token token-file update",
    }
  `);
});
