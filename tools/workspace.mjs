/**
 * @file Installs and builds this workspace when, and only when, something is missing or stale.
 *
 * Imports nothing but Node, because it runs before anything is installed. "Stale" means: a hash over the files that
 * decide the outcome differs from the one written under `.lockstep/` after the last success.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "");

const pnpmVersion = "10.34.9";
const memberFolders = ["packages", "apps", "examples"];
const networkSettings =
  /^npm_config_(registry|cafile|ca|proxy|https_proxy|http_proxy|noproxy|strict_ssl|cache|store_dir|offline|prefer_offline|userconfig|globalconfig|@.*|\/\/.*)$/i;

/** The environment for children: what npm itself injected is dropped, except how to reach the registry. */
export function cleanEnvironment() {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    const isNpmNoise = /^(npm_config_|pnpm_config_)/i.test(name) && !networkSettings.test(name);
    if (!isNpmNoise && name !== "NODE_ENV") env[name] = value;
  }
  env.PATH = `${join(root, "node_modules", ".bin")}${delimiter}${process.env.PATH ?? ""}`;
  env.TURBO_TELEMETRY_DISABLED = "1";
  env.DO_NOT_TRACK = "1";
  return env;
}

/** Stops with status 2 where Node is too old to run anything here. */
export function assertNodeVersion() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `workspace: Node is ${process.versions.node}; it must be 20.19 or newer. Install one from https://nodejs.org.`,
  );
  process.exit(2);
}

/** Folders of all workspace packages, relative to the root. */
export function workspaceMembers() {
  const members = memberFolders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`));
  return [...members, "benchmarks"].filter((member) => existsSync(join(root, member, "package.json"))).sort();
}

/** All files under a folder that `accept` takes, sorted, without node_modules and build outputs. */
export function filesUnder(folder, accept) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory())
        return ["node_modules", "dist", ".turbo"].includes(entry.name) ? [] : filesUnder(path, accept);
      return accept(entry.name) ? [path] : [];
    });
}

function hashFiles(files) {
  const hash = createHash("sha256").update(process.versions.node.split(".")[0]);
  for (const file of files.filter((path) => existsSync(path))) {
    hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  }
  return hash.digest("hex");
}

function isFresh(name, digest) {
  const stamp = join(root, ".lockstep", name);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === digest;
}

function writeStamp(name, digest) {
  mkdirSync(join(root, ".lockstep"), { recursive: true });
  writeFileSync(join(root, ".lockstep", name), digest);
}

/** Runs a command to its end; stops this process with the command's status when it is not 0. */
function runOrExit(label, command, args, hint) {
  const startedMs = Date.now();
  console.error(`lockstep: ${label} ...`);
  const result = spawnSync(command, args, {
    cwd: root,
    env: cleanEnvironment(),
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    console.error(
      `lockstep: ${label} ended with ${result.error?.message ?? result.signal ?? `status ${result.status}`}`,
    );
    if (hint) console.error(hint);
    process.exit(result.status || 1);
  }
  console.error(`lockstep: ${label}: done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
}

export function ensureInstalled() {
  assertNodeVersion();
  const manifests = workspaceMembers().map((member) => join(root, member, "package.json"));
  const digest = hashFiles([
    ...["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"].map((name) => join(root, name)),
    ...manifests,
  ]);
  if (existsSync(join(root, "node_modules", ".modules.yaml")) && isFresh("installed", digest)) return;
  runOrExit(
    "installing packages",
    "npx",
    [
      "-y",
      `pnpm@${pnpmVersion}`,
      "install",
      "--frozen-lockfile",
      "--config.confirmModulesPurge=false",
      "--reporter=append-only",
      "--loglevel=warn",
    ],
    "lockstep: the npm registry must be reachable for the first install; afterwards nothing is downloaded again",
  );
  writeStamp("installed", digest);
}

/** Packages that have a build script, with the outputs that must exist afterwards. */
function builtMembers() {
  return workspaceMembers().filter((member) => {
    const manifest = JSON.parse(readFileSync(join(root, member, "package.json"), "utf8"));
    return manifest.scripts?.build !== undefined;
  });
}

export function ensureBuilt() {
  ensureInstalled();
  const members = builtMembers();
  const sources = members.flatMap((member) => [
    ...filesUnder(join(root, member, "src"), (name) => /\.(ts|json)$/.test(name) && !name.endsWith(".test.ts")),
    ...["package.json", "tsconfig.json", "tsconfig.node.json"].map((name) => join(root, member, name)),
  ]);
  const digest = hashFiles([
    join(root, "tsconfig.base.json"),
    join(root, "pnpm-lock.yaml"),
    join(root, "turbo.json"),
    ...sources,
  ]);
  const isComplete = members.every((member) => existsSync(join(root, member, "dist", "index.js")));
  if (isComplete && isFresh("built", digest)) return;
  runOrExit("building", "turbo", ["run", "build", "--output-logs=errors-only"]);
  writeStamp("built", digest);
}

/** Runs a tool of node_modules/.bin with this terminal, and gives its exit status. Ctrl-C is the child's to handle. */
export function runTool(command, args, options = {}) {
  const ignore = () => {};
  process.on("SIGINT", ignore);
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...cleanEnvironment(), ...options.env },
      stdio: "inherit",
      shell: process.platform === "win32",
    });
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

/** The built `lockstep` command, with this terminal. */
export function runLockstep(args) {
  return runTool(process.execPath, [join(root, "apps", "cli", "bin", "lockstep.js"), ...args]);
}
