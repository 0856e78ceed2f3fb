/** Failures as HTTP tells them. */
import { ERROR_CODES, isTwintrackError, messageOf, TwintrackError } from "../../core/error.ts";
import { type Mask, OPEN_MASK } from "../privacy/mask.ts";

export const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

interface Reply {
  code(status: number): Reply;
  type(mime: string): Reply;
  send(body: unknown): unknown;
}

/** @param mask for what comes from a side: its words may hold anything */
export function sendProblem(
  reply: Reply,
  error: unknown,
  mask: Mask = OPEN_MASK,
  status?: number,
): unknown {
  const problem = problemOf(error, mask, status);
  return reply.code(problem.status).type("application/problem+json").send(problem);
}

/** RFC 9457. */
export function problemOf(error: unknown, mask: Mask, status?: number) {
  const known = isTwintrackError(error) ? error : fromFastify(error);
  return {
    type: `urn:twintrack:error:${known.code}`,
    title: known.code,
    status: status ?? ERROR_CODES[known.code].httpStatus,
    code: known.code,
    detail: mask.text(known.message),
    ...(known.hint === undefined ? {} : { hint: mask.text(known.hint) }),
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
