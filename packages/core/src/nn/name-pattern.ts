/**
 * Which names are meant: a name or the beginning of one up to a dot, in which * stands for any characters ("body", "blocks.*.norm1"); a
 * regular expression, tested; or a function of the name.
 */
export type NamePattern = string | RegExp | ((name: string) => boolean);

/** Whether a dotted name ("body.0.weight") is meant. @shape none @source none: ours */
export function matchesName(pattern: NamePattern, name: string): boolean {
  if (typeof pattern === "function") return pattern(name);
  if (typeof pattern !== "string") return name.search(pattern) >= 0; // not test(), which moves lastIndex
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}(?:\\..*)?$`).test(name);
}
