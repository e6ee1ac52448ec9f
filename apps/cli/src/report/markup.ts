/** @file Text of a page, made by a template that escapes whatever is put into it. */

/** Text that is HTML already. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type MarkupValue = Markup | string | number | undefined | false | readonly MarkupValue[];

/**
 * A piece of a page. Strings and numbers are escaped, pieces are put in as they are, `undefined` and `false` leave nothing.
 *
 * @example
 * html`<td title="${'"quoted"'}">${1 < 2 ? "a < b" : ""}</td>`.text; // => "<td title=\"&quot;quoted&quot;\">a &lt; b</td>"
 */
export function html(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(parts.map((part, i) => part + (i < values.length ? textOf(values[i]) : "")).join(""));
}

function textOf(value: MarkupValue): string {
  if (value === undefined || value === false) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(textOf).join("");
  return String(value).replace(/[&<>"']/g, (sign) => entities[sign]!);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
