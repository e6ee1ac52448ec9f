/**
 * @file Where a token comes from, and where it may be written. Never logged.
 *
 * Order: --token-file, --token (with a warning), LOCKSTEP_TOKEN, and for a worker at a terminal a prompt.
 */
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { UsageError } from "./exit-status.js";

export interface TokenFlags {
  readonly tokenFile?: string;
  readonly token?: string;
}

/** The token that the flags or the environment give, if any. */
export function readToken(flags: TokenFlags, env: NodeJS.ProcessEnv, warn: (line: string) => void): string | undefined {
  if (flags.tokenFile !== undefined) return readTokenFile(flags.tokenFile);
  if (flags.token !== undefined) {
    warn("warning: --token shows the token in process lists; prefer --token-file or LOCKSTEP_TOKEN");
    return checkToken(flags.token, "--token");
  }
  return env.LOCKSTEP_TOKEN === undefined ? undefined : checkToken(env.LOCKSTEP_TOKEN, "LOCKSTEP_TOKEN");
}

/** 256 random bits. */
export function createToken(): string {
  return randomBytes(32).toString("base64url");
}

/** Writes the token where only its owner can read it. */
export function writeTokenFile(path: string, token: string): void {
  writeFileSync(path, `${token}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/** The token file that the run directory keeps, if it has one: a run that is taken up again keeps its token. */
export function readKeptToken(runDir: string): string | undefined {
  const path = join(runDir, "token");
  return existsSync(path) ? readTokenFile(path) : undefined;
}

/** Asks at the terminal, without showing what is typed. */
export function promptToken(): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true });
  process.stderr.write("token: ");
  return new Promise((resolve, reject) => {
    prompt.question("", (answer) => {
      prompt.close();
      process.stderr.write("\n");
      try {
        resolve(checkToken(answer, "the prompt"));
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}

function readTokenFile(path: string): string {
  try {
    return checkToken(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `--token-file: ${path} cannot be read (${(error as Error).message}); it must be a file with the token. Check the path.`,
      { path },
      "E_USAGE_TOKEN",
    );
  }
}

function checkToken(text: string, source: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]{8,256}$/.test(token)) return token;
  throw new UsageError(
    `token: ${source} holds ${token.length} characters; a token must be 8 to 256 printable characters without spaces. Make one with: openssl rand -hex 32.`,
    { source, length: token.length },
    "E_USAGE_TOKEN",
  );
}
