/** @file WebGPU for tests on machines without a GPU: the npm package `webgpu`, and drivers that compute on the CPU. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../workspace.mjs";

/** The version that @lockstep/gpu-backend is written for; 132 MB. */
const webGpuVersion = "0.6.2";
const folder = join(root, ".lockstep", "gpu");
const swiftShaderIcds = [
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
];

/** Installs the npm package beside the workspace, once. @returns the folder that holds its node_modules, or why there is none. */
export function installWebGpu() {
  if (existsSync(join(folder, "node_modules", "webgpu", "package.json"))) return { folder };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", `webgpu@${webGpuVersion}`];
  const { status, stderr } = spawnSync(npm, args, {
    cwd: folder,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  return status === 0 ? { folder } : { reason: `npm install webgpu@${webGpuVersion} failed: ${stderr.slice(-500)}` };
}

/** Drivers by name: the icd file, or why there is none. "system" is what the machine itself has. */
export function findDriver(name) {
  if (name === "system") return { env: {} };
  if (name === "swiftshader") {
    const icd = swiftShaderIcds.find((path) => existsSync(path));
    if (icd === undefined)
      return { reason: "Debian's chromium, which brings it, is not installed (apt-get install chromium)" };
    return { env: { VK_DRIVER_FILES: icd } };
  }
  const script = join(root, "tools", "gpu", "lavapipe.sh");
  const { status, stdout, stderr } = spawnSync("bash", [script, join(folder, "lavapipe")], { encoding: "utf8" });
  if (status !== 0) return { reason: `it could not be installed: ${stderr.slice(-500)}` };
  return { env: { VK_DRIVER_FILES: stdout.trim() } };
}
