/** @file Prints every broken rule of the house. Needs Node and nothing else: `node tests/architecture/check.mjs`. */
import { fileURLToPath } from "node:url";
import { checkArchitecture, formatFinding } from "./rules.mjs";

const root = process.argv[2] ?? fileURLToPath(new URL("../..", import.meta.url));
const findings = checkArchitecture(root);
for (const finding of findings) console.error(formatFinding(finding));
console.log(findings.length === 0 ? "architecture: every rule holds" : `architecture: ${findings.length} broken`);
process.exitCode = findings.length === 0 ? 0 : 1;
