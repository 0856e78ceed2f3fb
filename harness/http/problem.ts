/** Failures as HTTP tells them. */
import { ERROR_CODES, isTwintrackError, messageOf, TwintrackError } from "../../core/error.ts";

export const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

interface Reply {
  code(status: number): Reply;
  type(mime: string): Reply;
  send(body: unknown): unknown;
}

export function sendProblem(reply: Reply, error: unknown, status?: number): unknown {
  const problem = problemOf(error, status);
  return reply.code(problem.status).type("application/problem+json").send(problem);
}

/** RFC 9457. */
export function problemOf(error: unknown, status?: number) {
  const known = isTwintrackError(error) ? error : fromFastify(error);
  return {
    type: `urn:twintrack:error:${known.code}`,
    title: known.code,
    status: status ?? ERROR_CODES[known.code].httpStatus,
    code: known.code,
    detail: known.message,
    ...(known.hint === undefined ? {} : { hint: known.hint }),
  };
}

/** Fastify refuses bad bodies itself, with a status of its own. */
function fromFastify(error: unknown): TwintrackError {
  const status = (error as { statusCode?: unknown }).statusCode;
  if (status === 413)
    return new TwintrackError(
      "VALUE_TOO_LARGE",
      `The body is larger than ${BODY_LIMIT_BYTES} bytes`,
    );
  if (typeof status === "number" && status < 500)
    return new TwintrackError("REQUEST_INVALID", messageOf(error));
  return new TwintrackError("LEGACY_FAILED", messageOf(error));
}
