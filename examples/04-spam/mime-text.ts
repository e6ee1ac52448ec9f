/**
 * @file What a person reads of a mail: its subject, and the text of its body, without markup. For pack-mails.ts.
 *
 * Of RFC 2045 and 2046 as much as mails of 2002 use: nested parts, quoted-printable, base64. What does not keep to them is read as it stands.
 */

export interface MailText {
  readonly subject: string;
  readonly body: string;
}

/** Mails are bytes; here each stands as a character of the same number, until its charset is known. */
const fromBytes = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
};
const toBytes = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

export function mailText(mail: Uint8Array): MailText {
  const whole = fromBytes(mail).replaceAll("\r\n", "\n");
  const { header } = splitHeader(whole);
  return { subject: decodeWords(headerField(header, "subject")), body: oneLine(textOfPart(whole)) };
}

function splitHeader(part: string): { header: string; content: string } {
  const end = part.startsWith("\n") ? 0 : part.indexOf("\n\n");
  if (end < 0) return { header: part, content: "" };
  return { header: part.slice(0, end).replace(/\n[ \t]+/g, " "), content: part.slice(end).replace(/^\n+/, "") };
}

function headerField(header: string, name: string): string {
  return new RegExp(`^${name}:(.*)$`, "im").exec(header)?.[1]?.trim() ?? "";
}

/** Text of a part and of the parts in it; of alternatives, the plain one. */
function textOfPart(part: string): string {
  const { header, content } = splitHeader(part);
  const type = headerField(header, "content-type");
  const boundary = /boundary="?([^";]+)"?/i.exec(type)?.[1]?.trim();
  if (/^multipart\//i.test(type) && boundary !== undefined) {
    const parts = content.split(`--${boundary}`).slice(1);
    const texts = parts.filter((inner) => !inner.startsWith("--")).map((inner) => inner.replace(/^[ \t]*\n/, ""));
    const isAlternative = /^multipart\/alternative/i.test(type);
    const plain = texts.find((inner) => /^text\/plain/i.test(headerField(splitHeader(inner).header, "content-type")));
    return isAlternative && plain !== undefined ? textOfPart(plain) : texts.map(textOfPart).join("\n");
  }
  if (type !== "" && !/^(text|message)\b/i.test(type) && /^[\w.+-]+\/[\w.+-]+/.test(type)) return "";
  const text = decodeCharset(decodeTransfer(content, headerField(header, "content-transfer-encoding")), type);
  return /^text\/html/i.test(type) || /<(html|body|table|br|p|font)\b/i.test(text) ? withoutMarkup(text) : text;
}

function decodeTransfer(content: string, encoding: string): string {
  if (/^quoted-printable/i.test(encoding)) return unquoted(content);
  if (!/^base64/i.test(encoding)) return content;
  const digits = content.split(/\n\s*\n/)[0]!.replace(/[^A-Za-z0-9+/]/g, "");
  return atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits);
}

function unquoted(text: string): string {
  return text
    .replace(/=[ \t]*\n/g, "")
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function decodeCharset(text: string, type: string): string {
  const charset = /charset="?([\w-]+)/i.exec(type)?.[1] ?? "windows-1252";
  try {
    return new TextDecoder(charset).decode(toBytes(text));
  } catch {
    return new TextDecoder("windows-1252").decode(toBytes(text)); // a charset that nobody knows
  }
}

/** Encoded words of a header (RFC 2047). */
function decodeWords(value: string): string {
  const decoded = value.replace(/=\?([\w-]+)\?([bq])\?([^?]*)\?=/gi, (_, charset: string, kind: string, word: string) =>
    decodeCharset(
      kind.toLowerCase() === "b" ? decodeTransfer(word, "base64") : unquoted(word.replaceAll("_", " ")),
      `charset=${charset}`,
    ),
  );
  return oneLine(decoded);
}

function withoutMarkup(html: string): string {
  return html
    .replace(/<(style|script|title)\b[^>]*>[\s\S]*?<\/\1\s*>/gi, " ")
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/<\/?[a-z!][^>]*>/gi, " ")
    .replace(/&nbsp;?/gi, " ")
    .replace(/&lt;?/gi, "<")
    .replace(/&gt;?/gi, ">")
    .replace(/&quot;?/gi, '"')
    .replace(/&#(\d{1,5});?/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&amp;?/gi, "&");
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim();
