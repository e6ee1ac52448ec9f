/** @file The `lockstep` command as another machine would have it: installed from packed tarballs, nothing of the repository near. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./lockstep-process.js";

const packed = ["core", "gpu-backend", "data", "models", "protocol", "collectives", "coordinator", "worker", "fit"].map(
  (room) => `packages/${room}`,
);

export interface InstalledCopy {
  readonly folder: string;
  /** Entry of the command, for Node. */
  readonly bin: string;
  /** An environment whose HOME is an empty folder. */
  readonly env: NodeJS.ProcessEnv;
}

/** Packs every room and the command, and installs the tarballs into `folder`. */
export function installCopy(folder: string): InstalledCopy {
  const tarballs = join(folder, "tarballs");
  const home = join(folder, "home");
  const place = join(folder, "place");
  for (const path of [tarballs, home, place]) mkdirSync(path);
  const pnpm = join(root, "node_modules", "pnpm", "bin", "pnpm.cjs");
  for (const member of [...packed, "apps/cli"]) {
    execFileSync(process.execPath, [pnpm, "pack", "--pack-destination", tarballs], {
      cwd: join(root, member),
      stdio: "pipe",
    });
  }
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  const nameOf = (file: string) => {
    const base = file
      .split(/[\\/]/)
      .at(-1)!
      .replace(/-\d+\.\d+\.\d+\.tgz$/, "");
    return base === "lockstep" ? base : base.replace(/^lockstep-/, "@lockstep/");
  };
  // Overrides, because the rooms name each other by version and no registry has them.
  const local = Object.fromEntries(files.map((file) => [nameOf(file), `file:${file}`]));
  writeFileSync(
    join(place, "package.json"),
    JSON.stringify({ name: "place", private: true, dependencies: local, overrides: local }),
  );
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: place, stdio: "pipe" });
  const { LOCKSTEP_TOKEN: _token, ...env } = process.env;
  return {
    folder: place,
    bin: join(place, "node_modules", "lockstep", "bin", "lockstep.js"),
    env: { ...env, HOME: home },
  };
}
