import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../tools/workspace.mjs";

const commands = [
  {
    name: "bench",
    main: "benchmarks/src/main.ts",
    options: "--runs, --only, --faults, --peak, --full, --json, --accept",
  },
  { name: "soak", main: "tests/fault/soak/main.ts", options: "--minutes, --seed" },
];

describe.each(commands)("npm run $name", ({ name, main, options }) => {
  const run = (...args: string[]) => {
    const path = join(root, main);
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", path, ...args], {
      cwd: root,
      encoding: "utf8",
    });
    return { status, stdout, stderr };
  };

  test("--help says what there is, and measures nothing", () => {
    const { status, stdout, stderr } = run("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const option of options.split(", ")) expect(stdout).toContain(`\n${option} `);
    expect(stdout.split("\n")[0]).toMatch(new RegExp(`^npm run ${name} -- \\[`));
  });

  test("an option that it does not have, or without its value, is named in one line", () => {
    const line = (what: string) => ({
      status: 2,
      stdout: "",
      stderr: `${name}: ${what}; options are ${options}. See \`npm run ${name} -- --help\`.\n`,
    });
    expect(run("--nope")).toEqual(line("Unknown option '--nope'"));
    const first = options.split(", ")[0]!;
    expect(run(first)).toEqual(line(`Option '${first} <value>' argument missing`));
  });
});

test.each([
  [
    ["gemms"],
    'there is no suite "gemms"; the suites are arrays, gemm, train-step, all-reduce, scaling, recovery, webgpu, webgpu-train, webgpu-gemm.',
  ],
  [["gemm", "--runs", "0"], "--runs is 0; it must be a whole number from 1."],
  [["webgpu-gemm", "--peak", "0"], "--peak is 0; it must be a number of TFLOPS above 0."],
  [["recovery", "--faults", "many"], "--faults is many; it must be a whole number from 1."],
])("npm run bench -- %j measures nothing", (given, what) => {
  const args = ["--import", "tsx", join(root, "benchmarks/src/main.ts"), ...given];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  expect({ status, stdout, stderr }).toEqual({ status: 2, stdout: "", stderr: `bench: ${what}\n` });
});
