/** Every error this package throws on purpose. README lists the same codes; a test compares them. */
export const ERROR_CODES = {
  /** The configuration file is missing, does not parse, or has a wrong value. */
  CONFIG_INVALID: { httpStatus: 500, exitCode: 2, retryable: false },
  /** A command was called with arguments it cannot use. */
  USAGE: { httpStatus: 400, exitCode: 2, retryable: false },
  /** No flow of this name is configured. */
  FLOW_UNKNOWN: { httpStatus: 404, exitCode: 2, retryable: false },
  /** The flow's definition contradicts itself: unknown or duplicate step, a cycle. */
  FLOW_INVALID: { httpStatus: 500, exitCode: 2, retryable: false },
  /** The request body is not JSON, not `{ "input": … }`, or its `config` cannot be carried. */
  REQUEST_INVALID: { httpStatus: 400, exitCode: 2, retryable: false },
  /** The input does not fit the flow's `input` schema, or the candidate that answers. */
  INPUT_INVALID: { httpStatus: 422, exitCode: 2, retryable: false },
  /** A step or flow returned something its output schema refuses. */
  OUTPUT_INVALID: { httpStatus: 502, exitCode: 1, retryable: false },
  /** The same trigger id came again with another input or `config`. */
  TRIGGER_CONFLICT: { httpStatus: 409, exitCode: 6, retryable: false },
  /** A history does not fit the code that is asked to replay it; the message names the step. */
  HISTORY_MISMATCH: { httpStatus: 500, exitCode: 1, retryable: false },
  /** A step failed and the flow halted. */
  STEP_FAILED: { httpStatus: 502, exitCode: 1, retryable: false },
  /** A step, tool or chain did not finish within its time limit. */
  TIMEOUT: { httpStatus: 504, exitCode: 1, retryable: true },
  /** The caller took the call back. */
  CANCELLED: { httpStatus: 499, exitCode: 130, retryable: true },
  /** The legacy chain threw; its own error is the cause. */
  LEGACY_FAILED: { httpStatus: 502, exitCode: 1, retryable: false },
  /** The flow has no implementation for the side its stage needs. */
  SIDE_MISSING: { httpStatus: 500, exitCode: 2, retryable: false },
  /** No tool server offers a tool of this name. */
  TOOL_UNKNOWN: { httpStatus: 404, exitCode: 2, retryable: false },
  /** The tool ran and failed, or refused its arguments. */
  TOOL_FAILED: { httpStatus: 502, exitCode: 1, retryable: false },
  /** The tool cannot be bridged; the message says why. */
  TOOL_UNSUPPORTED: { httpStatus: 422, exitCode: 2, retryable: false },
  /** The tool is not what its contract says any more; nobody has looked at the change. */
  CONTRACT_CHANGED: { httpStatus: 409, exitCode: 6, retryable: false },
  /** A tool module, or the named export in it, cannot be loaded. */
  TOOL_MODULE_INVALID: { httpStatus: 500, exitCode: 2, retryable: false },
  /** Python, its packages or the bridge in it cannot be started. */
  PYTHON_UNAVAILABLE: { httpStatus: 502, exitCode: 5, retryable: true },
  /** The Python process ended while calls were running; a write may have happened. */
  PYTHON_LOST: { httpStatus: 502, exitCode: 5, retryable: false },
  /** A shadow run asked for a write that the other side did not make. It was not executed. */
  EFFECT_REFUSED: { httpStatus: 409, exitCode: 6, retryable: false },
  /** A shadow run asked for a read that was not recorded, and live reads are not allowed. */
  READ_UNRECORDED: { httpStatus: 409, exitCode: 6, retryable: false },
  /** A shadow run asked a model what was not recorded, and live models are not allowed. */
  MODEL_UNRECORDED: { httpStatus: 409, exitCode: 6, retryable: false },
  /** The flow asks a model that the configuration does not name. */
  MODEL_UNKNOWN: { httpStatus: 500, exitCode: 2, retryable: false },
  /** The model's service refused the request, failed, or did not speak its protocol. */
  MODEL_FAILED: { httpStatus: 502, exitCode: 5, retryable: true },
  /** A write was granted and its result is unknown; it is never repeated by itself. */
  EFFECT_UNKNOWN: { httpStatus: 409, exitCode: 6, retryable: false },
  /** Code of a shadow run tried to reach the world past the tools. */
  EGRESS_REFUSED: { httpStatus: 403, exitCode: 6, retryable: false },
  /** A recorded value lost information when it became JSON, so it cannot stand in for the original. */
  RECORDING_LOSSY: { httpStatus: 409, exitCode: 1, retryable: false },
  /** A value has no JSON form: a cycle, or a getter or toJSON that throws. */
  VALUE_UNSERIALISABLE: { httpStatus: 500, exitCode: 1, retryable: false },
  /** A value is nested deeper, or is larger, than the caps allow. */
  VALUE_TOO_LARGE: { httpStatus: 413, exitCode: 1, retryable: false },
  /** The database does not answer. Live answers go on; the spool keeps the records. */
  STORE_UNAVAILABLE: { httpStatus: 503, exitCode: 5, retryable: true },
  /** Another process has the embedded database folder open. */
  STORE_LOCKED: { httpStatus: 503, exitCode: 6, retryable: true },
  /** The database was written by a newer version, or a migration was changed after release. */
  STORE_SCHEMA: { httpStatus: 503, exitCode: 5, retryable: false },
  /** A stored payload was sealed with a key that is not in the ring any more. */
  KEY_UNKNOWN: { httpStatus: 500, exitCode: 5, retryable: false },
  /** A stored payload was changed after it was sealed, or stands in another's place. */
  SEAL_BROKEN: { httpStatus: 500, exitCode: 1, retryable: false },
  /** A stored payload was dropped when it had been kept as long as the configuration says. */
  PAYLOAD_GONE: { httpStatus: 410, exitCode: 1, retryable: false },
  /** The spool folder cannot be created or written. */
  SPOOL_UNAVAILABLE: { httpStatus: 503, exitCode: 5, retryable: true },
  /** The stage cannot change like this: the gate is not open, or the step is not allowed. */
  STAGE_REFUSED: { httpStatus: 409, exitCode: 6, retryable: false },
  /** The server has an API key and the caller did not send it. */
  UNAUTHENTICATED: { httpStatus: 401, exitCode: 6, retryable: false },
  /** The caller's key is known, but its role may not do this. */
  FORBIDDEN: { httpStatus: 403, exitCode: 6, retryable: false },
  /** Too many wrong keys came from this address within a minute. */
  TOO_MANY_ATTEMPTS: { httpStatus: 429, exitCode: 6, retryable: true },
  /** The address would be reachable from outside and nothing authenticates callers. */
  BIND_REFUSED: { httpStatus: 500, exitCode: 6, retryable: false },
  /** The port is taken or may not be opened. */
  BIND_FAILED: { httpStatus: 500, exitCode: 5, retryable: true },
  /** The shadow process ended while it judged a trial, or the thread that ships and judges did. */
  SHADOW_LOST: { httpStatus: 500, exitCode: 1, retryable: true },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

interface TwintrackErrorOptions extends ErrorOptions {
  /** One sentence or command that removes the cause. */
  hint?: string;
}

/** Says what happened with the value, carries a code to decide on, and a hint that fixes it. */
export class TwintrackError extends Error {
  override readonly name = "TwintrackError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options?: TwintrackErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = options?.hint;
  }
}

/** True for our errors from any copy of this package. */
export function isTwintrackError(value: unknown): value is TwintrackError {
  return (
    value instanceof Error &&
    value.name === "TwintrackError" &&
    Object.hasOwn(ERROR_CODES, String((value as { code?: unknown }).code))
  );
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
