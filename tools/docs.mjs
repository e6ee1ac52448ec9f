/** @file `npm run docs`: writes the generated documents again. tests/docs fails when they are stale. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { renderErrorList } from "./docs/error-list.mjs";
import { renderProtocolTable, replaceProtocolTable } from "./docs/protocol-table.mjs";
import { ensureBuilt, root } from "./workspace.mjs";

ensureBuilt();
const protocol = await import(pathToFileURL(join(root, "packages/protocol/dist/index.js")).href);
const protocolPath = join(root, "docs", "protocol.md");
writeFileSync(protocolPath, replaceProtocolTable(readFileSync(protocolPath, "utf8"), renderProtocolTable(protocol)));
writeFileSync(join(root, "docs", "errors.md"), renderErrorList());
console.log("docs: wrote docs/protocol.md and docs/errors.md");
