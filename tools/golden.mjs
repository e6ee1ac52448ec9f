/** @file `npm run golden [NAME...]`: makes the golden files again with a Python that has PyTorch. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root, runTool } from "./workspace.mjs";

const folder = join(root, "tools", "golden");
const scripts = readdirSync(folder).filter((name) => name.endsWith(".py") && !name.startsWith("_"));
const wanted = process.argv.slice(2).map((name) => (name.endsWith(".py") ? name : `${name}.py`));
const unknown = wanted.filter((name) => !scripts.includes(name));
if (unknown.length > 0) {
  console.error(`golden: there is no ${unknown.join(", ")} in tools/golden; the scripts are ${scripts.join(", ")}.`);
  process.exit(2);
}
const python = ["python3", "/usr/bin/python3"].find((path) => spawnSync(path, ["-c", "import torch"]).status === 0);
if (!python) {
  console.error(
    "golden: no Python here can import torch; on Debian: apt-get install python3-torch. Tests do not need it.",
  );
  process.exit(1);
}
for (const script of wanted.length > 0 ? wanted : scripts) {
  const status = await runTool(python, [join(folder, script)]);
  if (status !== 0) process.exit(status);
}
