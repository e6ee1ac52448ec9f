import { expect, test } from "vitest";
import { dialableUrl, findLanAddress } from "./lan-address.js";

test("a listener on every address is announced by one that another machine can dial", () => {
  const host = findLanAddress() ?? "0.0.0.0";
  expect(dialableUrl("ws://0.0.0.0:7733")).toBe(`ws://${host}:7733`);
  expect(dialableUrl("ws://10.1.2.3:7733")).toBe("ws://10.1.2.3:7733");
});
