/**
 * @file Makes one module of a job and everything it imports, except the rooms.
 *
 * `@lockstep/core` and the other rooms become `lockstep-room:@lockstep/core`: every worker puts its own installation there. The
 * bundle holds no absolute path, so the same sources give the same bytes, and the same sha256, in any folder.
 */
import { dirname } from "node:path";
import { type BuildFailure, build, type Message, type Plugin, stop } from "esbuild";
import { UsageError } from "../exit-status.js";

const rooms: Plugin = {
  name: "lockstep-rooms",
  setup(build) {
    build.onResolve({ filter: /^@lockstep\// }, ({ path }) => ({ path: `lockstep-room:${path}`, external: true }));
    // What compiles a model for a script is only its definition for a worker.
    build.onResolve({ filter: /^lockstep$/ }, () => ({ path: "lockstep-room:@lockstep/fit/job", external: true }));
  },
};

const nodeModules: Plugin = {
  name: "lockstep-no-node",
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({
      errors: [
        { text: `imports "${path}"; a job runs on every worker, browsers included, and reads files through files()` },
      ],
    }));
  },
};

/**
 * Text of the bundled job module.
 *
 * @throws {UsageError} E_JOB_BUNDLE with the first places esbuild objects to.
 */
export async function bundleJob(modulePath: string): Promise<string> {
  try {
    const result = await build({
      entryPoints: [modulePath],
      absWorkingDir: dirname(modulePath),
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2022",
      mainFields: ["module", "main"],
      conditions: ["import"],
      legalComments: "none",
      keepNames: true,
      logLevel: "silent",
      tsconfigRaw: {},
      plugins: [rooms, nodeModules],
    });
    return result.outputFiles[0]!.text;
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>;
    if (!errors) throw cause;
    throw new UsageError(
      `job: ${modulePath} cannot be bundled: ${errors.slice(0, 3).map(describe).join(", ")}; the module and what it imports must be complete. Mend it; nothing was started.`,
      { modulePath, errors: errors.map(describe) },
      "E_JOB_BUNDLE",
    );
  } finally {
    await stop(); // esbuild's own process would stay for the whole run
  }
}

function describe({ text, location }: Message): string {
  return location ? `${location.file}:${location.line}: ${text}` : text;
}
