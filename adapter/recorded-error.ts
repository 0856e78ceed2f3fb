import type { SerializedError } from "../core/outcome.ts";

/** A recorded error as one that can be thrown, with the name that its own language gave it. */
export function rebuilt({ name, message, code }: SerializedError): Error {
  const error = Object.assign(new Error(message), code === undefined ? {} : { code });
  Object.defineProperty(error, "name", { value: name, configurable: true });
  return error;
}
