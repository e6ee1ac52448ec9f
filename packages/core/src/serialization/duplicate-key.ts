/** @file JSON.parse keeps the last of two equal keys and says nothing. This finds them. */

/** @param text valid JSON. @returns the first key that occurs twice in one object, if any. */
export function findDuplicateKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      const end = endOfString(text, i);
      const keys = open.at(-1);
      if (isKeyNext && keys !== undefined) {
        const key = JSON.parse(text.slice(i, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
        isKeyNext = false;
      }
      i = end - 1;
    } else if (char === "{") {
      open.push(new Set());
      isKeyNext = true;
    } else if (char === "[") {
      open.push(undefined);
      isKeyNext = false;
    } else if (char === "}" || char === "]") {
      open.pop();
      isKeyNext = false;
    } else if (char === ",") {
      isKeyNext = open.at(-1) !== undefined;
    }
  }
  return undefined;
}

/** Index behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
  return i + 1;
}
