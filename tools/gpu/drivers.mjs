/** @file WebGPU for tests on machines without a GPU: the npm package `webgpu`, and drivers that compute on the CPU. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../workspace.mjs";
import { findChromium } from "./find-chromium.mjs";

/** The version that @lockstep/gpu-backend is written for; 132 MB. */
const webGpuVersion = "0.6.2";
const folder = join(root, ".lockstep", "gpu");
const swiftShaderIcds = [
  "/usr/lib/chromium/vk_swiftshader_icd.json",
  "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
];

/** Installs the npm package beside the workspace, once. @returns the folder that holds its node_modules, or why there is none. */
function installWebGpu() {
  if (isWebGpuThere()) return { folder };
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

/** Environment of the tests on a driver, or why there is none; "chromium" stands for the browser. Installs what can be installed. */
export function findTestDriver(name) {
  if (name === "chromium") return chromiumDriver();
  const webGpu = installWebGpu();
  return webGpu.reason === undefined ? withWebGpu(webGpu.folder, findDriver(name)) : webGpu;
}

/** As findTestDriver, of what is there already. LOCKSTEP_WEBGPU names another folder with the npm package, beside the driver that is set. */
export function findInstalledDriver(name) {
  if (name === "chromium") return chromiumDriver();
  const { LOCKSTEP_WEBGPU: own } = process.env;
  if (own !== undefined) return withWebGpu(own, { env: {} });
  if (!isWebGpuThere() || (name === "lavapipe" && !existsSync(join(folder, "lavapipe", "lvp_icd.json")))) {
    return { reason: "it is not installed (npm run test:gpu installs it)" };
  }
  return withWebGpu(folder, findDriver(name));
}

function chromiumDriver() {
  return findChromium() === undefined ? { reason: "it is not installed (apt-get install chromium)" } : { env: {} };
}

function withWebGpu(webGpuFolder, { env, reason }) {
  if (reason !== undefined) return { reason };
  const { XDG_RUNTIME_DIR = "/tmp" } = process.env;
  return { env: { LOCKSTEP_WEBGPU: webGpuFolder, XDG_RUNTIME_DIR, ...env } };
}

function isWebGpuThere() {
  return existsSync(join(folder, "node_modules", "webgpu", "package.json"));
}

/** Drivers by name: the icd file, or why there is none. "system" is what the machine itself has. */
function findDriver(name) {
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
