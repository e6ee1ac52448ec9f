import { existsSync } from "node:fs";

/** Chromium of this machine, or undefined. */
export function findChromium() {
  return ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
}
