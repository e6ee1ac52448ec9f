import { expect, test } from "vitest";
import { assertListen } from "./worker.js";

test("--listen is HOST:PORT or none, and anything else is refused before anything starts", () => {
  for (const good of [undefined, "none", "0.0.0.0:0", "localhost:7000", "[::1]:7000"]) assertListen(good);
  for (const bad of ["foo", "host:", ":7000", "host:70000", "host:7x", "::1:7000"]) {
    expect(() => assertListen(bad)).toThrow(expect.objectContaining({ code: "E_USAGE_LISTEN" }));
  }
});
