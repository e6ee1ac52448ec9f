import { networkInterfaces } from "node:os";

/** An address by which other machines of this network may reach this one. */
export function findLanAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

/** `url` with an address that another machine can dial, where the listener has them all. */
export function dialableUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.hostname !== "0.0.0.0" && parsed.hostname !== "[::]") return url;
  parsed.hostname = findLanAddress() ?? parsed.hostname;
  return parsed.href.replace(/\/$/, "");
}
