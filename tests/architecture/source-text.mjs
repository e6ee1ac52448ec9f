/**
 * @file Reads TypeScript as text: code without comments and string contents, and the imports of a module.
 *
 * Not a parser. It knows comments, quotes, template strings and regular expressions, which is what the rules need, and it
 * keeps every line where it was, so that a finding can name its line.
 */

const regexMayFollow = /(?:^|[([{,;=:!&|?+\-*%<>~^]|\b(?:return|typeof|case|in|of|throw|await|yield))\s*$/;

/** Code of `text` with comments and the insides of strings blanked; line breaks stay. */
export function codeOnly(text) {
  let code = "";
  let at = 0;
  const templateDepths = []; // brace depth at which each open `${` ends
  let depth = 0;
  const blankUntil = (end) => {
    for (; at < end; at++) code += text[at] === "\n" ? "\n" : " ";
  };
  const skipTemplateText = () => {
    while (at < text.length) {
      if (text[at] === "\\") blankUntil(Math.min(at + 2, text.length));
      else if (text[at] === "`") {
        code += "`";
        at++;
        return;
      } else if (text.startsWith("${", at)) {
        code += "${";
        at += 2;
        templateDepths.push(depth++);
        return;
      } else blankUntil(at + 1);
    }
  };
  while (at < text.length) {
    const char = text[at];
    if (text.startsWith("//", at)) {
      const end = text.indexOf("\n", at);
      blankUntil(end < 0 ? text.length : end);
    } else if (text.startsWith("/*", at)) {
      const end = text.indexOf("*/", at + 2);
      blankUntil(end < 0 ? text.length : end + 2);
    } else if (char === '"' || char === "'") {
      code += char;
      at++;
      let end = at;
      while (end < text.length && text[end] !== char && text[end] !== "\n") end += text[end] === "\\" ? 2 : 1;
      blankUntil(Math.min(end, text.length));
      if (text[at] === char) {
        code += char;
        at++;
      }
    } else if (char === "`") {
      code += char;
      at++;
      skipTemplateText();
    } else if (char === "/" && regexMayFollow.test(code.slice(-40))) {
      at = skipRegex(text, at, (end) => blankUntil(end));
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      code += char;
      at++;
      if (char === "}" && templateDepths.at(-1) === depth) {
        templateDepths.pop();
        skipTemplateText();
      }
    }
  }
  return code;
}

function skipRegex(text, start, blankUntil) {
  let end = start + 1;
  let inClass = false;
  while (end < text.length && text[end] !== "\n" && (inClass || text[end] !== "/")) {
    if (text[end] === "\\") end++;
    else if (text[end] === "[") inClass = true;
    else if (text[end] === "]") inClass = false;
    end++;
  }
  blankUntil(Math.min(end + 1, text.length));
  return Math.min(end + 1, text.length);
}

const importPattern =
  /(?:^|[\n;])\s*(?:import|export)(?<type>\s+type\b)?(?:[\w\s{},*$]*?\bfrom)?\s*["'](?<name>[^"'\n]+)["']|\bimport\(\s*["'](?<dynamic>[^"'\n]+)["']\s*\)/g;

/** Imports and re-exports of a module: `{ specifier, isTypeOnly, line }`. */
export function importsOf(text) {
  // Comments are blanked, strings stay: a specifier is a string.
  const code = codeOnly(text);
  const found = [];
  for (const match of text.matchAll(importPattern)) {
    const specifier = match.groups.name ?? match.groups.dynamic;
    const keywordAt = match.index + match[0].search(/import|export/);
    if (!/^(import|export)/.test(code.slice(keywordAt, keywordAt + 6))) continue; // inside a comment or a string
    found.push({ specifier, isTypeOnly: match.groups.type !== undefined, line: lineOf(text, keywordAt) });
  }
  return found;
}

export function lineOf(text, index) {
  let line = 1;
  for (let i = 0; i < index; i++) if (text[i] === "\n") line++;
  return line;
}
