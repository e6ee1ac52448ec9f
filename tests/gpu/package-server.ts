/** @file Serves the built packages to a browser as they are: names of packages in imports become addresses, nothing else changes. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

const root = new URL("../..", import.meta.url).pathname;

/** `@lockstep/core/testing` -> `/packages/core/dist/testing/index.js`, as the package's exports say. */
function addressOf(specifier: string): string {
  const [, room, ...rest] = specifier.split("/");
  const manifest = JSON.parse(readFileSync(join(root, "packages", room!, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, { readonly default: string }>>;
  };
  const entry = manifest.exports[rest.length === 0 ? "." : `./${rest.join("/")}`]!;
  return `/packages/${room}/${entry.default.replace(/^\.\//, "")}`;
}

export interface PackageServer {
  readonly url: string;
  close(): void;
}

/** @param files further files by address, such as "/page.html". */
export async function servePackages(files: Readonly<Record<string, string>>): Promise<PackageServer> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url!, "http://host").pathname);
    const own = files[path];
    const onDisk = path.startsWith("/packages/") && path.includes("/dist/") ? join(root, path) : undefined;
    if (own === undefined && (onDisk === undefined || !existsSync(onDisk))) {
      response.writeHead(404).end();
      return;
    }
    const text = own ?? readFileSync(onDisk!, "utf8");
    const type = path.endsWith(".html") ? "text/html" : "text/javascript";
    // The two headers let a page share memory between threads.
    response.writeHead(200, {
      "content-type": type,
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
    });
    response.end(
      text.replaceAll(/"(@lockstep\/[\w/-]+)"/g, (_, specifier: string) => JSON.stringify(addressOf(specifier))),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
