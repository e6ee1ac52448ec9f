import { UsageError } from "./exit-status.js";

/** @throws {UsageError} when the text is no ws:// or wss:// address. */
export function parseCoordinatorUrl(text: string, command: "worker" | "status"): string {
  const withScheme = /^[a-z]+:\/\//.test(text) ? text : `ws://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  if (url && (url.protocol === "ws:" || url.protocol === "wss:") && url.hostname !== "")
    return url.href.replace(/\/$/, "");
  const advice = command === "worker" ? "Copy its join command." : "Copy it from its join command.";
  throw new UsageError(
    `${command}: URL is "${text}"; it must be ws://HOST:PORT, as the coordinator prints it. ${advice}`,
    { url: text },
    "E_USAGE_URL",
  );
}
