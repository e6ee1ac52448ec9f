import type { StatusReport } from "@lockstep/coordinator/node";
import { LockstepError } from "@lockstep/core";

/** A coordinator could not be asked, or what answered is none. */
export class StatusError extends LockstepError {}

const answerTimeoutMs = 5_000;

/**
 * Asks the coordinator at `ws://HOST:PORT` for its status, over HTTP on the same port.
 *
 * @throws {StatusError} E_STATUS_UNREACHABLE, E_STATUS_TOKEN, E_STATUS_VERSION, E_STATUS_ANSWER.
 */
export async function fetchStatus(
  wsUrl: string,
  token: string,
  { timeoutMs = answerTimeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<StatusReport> {
  const url = `${wsUrl.replace(/^ws/, "http")}/status`;
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${token}` },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  })
    .then(async (response) => ({ httpStatus: response.status, text: await response.text() }))
    .catch((error: unknown) => {
      const why = describeFetchError(error, timeoutMs);
      const text = `status: nothing answers at ${wsUrl} (${why}); a coordinator must listen there. Check the URL, and whether the run is over.`;
      throw new StatusError("E_STATUS_UNREACHABLE", text, { url: wsUrl });
    });
  return readAnswer(wsUrl, answer);
}

function readAnswer(url: string, { httpStatus, text }: { httpStatus: number; text: string }): StatusReport {
  if (httpStatus === 401) {
    const message = `status: the coordinator at ${url} refused the token (401); it must be the one that it was started with. Check --token-file or LOCKSTEP_TOKEN.`;
    throw new StatusError("E_STATUS_TOKEN", message, { url, httpStatus });
  }
  if (httpStatus === 404 || httpStatus === 426) {
    const message = `status: ${url} answers ${httpStatus} to /status; a coordinator of this version must answer 200. It is an older one, or none.`;
    throw new StatusError("E_STATUS_VERSION", message, { url, httpStatus });
  }
  const report = httpStatus === 200 ? parseJson(text) : undefined;
  const { schema, workers } = (report ?? {}) as { schema?: unknown; workers?: unknown };
  if (report === undefined || schema === undefined) {
    const message = `status: ${url} answers ${httpStatus} with ${text.length} characters that are no status; it must be a coordinator. Check the URL.`;
    throw new StatusError("E_STATUS_ANSWER", message, { url, httpStatus });
  }
  if (schema !== 1 || !Array.isArray(workers)) {
    const message = `status: the coordinator at ${url} sends schema ${String(schema)}; this version reads schema 1. Use the version of lockstep that runs there.`;
    throw new StatusError("E_STATUS_VERSION", message, { url, schema });
  }
  return report as StatusReport;
}

function parseJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch failed` says nothing; its cause does. */
function describeFetchError(error: unknown, timeoutMs: number): string {
  const { name, message, cause } = error as { name?: string; message?: string; cause?: { code?: string } };
  if (name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  return cause?.code ?? message ?? String(error);
}
