/** What an adapter is called in texts. Browsers may keep all but vendor and architecture to themselves. */
export function adapterName(
  info: Pick<GPUAdapterInfo, "description" | "vendor" | "architecture" | "device"> | undefined,
): string {
  if (info === undefined) return "unknown adapter";
  const { description, vendor, architecture, device } = info;
  return description || [vendor, architecture, device].filter((part) => part !== "").join(" ") || "unknown adapter";
}
