/** How large a JSON value is, and where that is too much. */
import type { JsonValue } from "../core/json.ts";

/**
 * About the bytes that the value has as JSON text, without making that text: escapes are not
 * counted. Stops counting above the limit.
 */
export function bytesOf(value: unknown, limitBytes = Number.POSITIVE_INFINITY): number {
  let bytes = 0;
  const waiting: unknown[] = [value];
  while (waiting.length > 0 && bytes <= limitBytes) {
    const one = waiting.pop();
    if (typeof one === "string") bytes += Buffer.byteLength(one) + 2;
    else if (typeof one !== "object" || one === null) bytes += 5;
    else if (Array.isArray(one)) {
      bytes += one.length + 2;
      for (const item of one) waiting.push(item);
    } else {
      bytes += 2;
      for (const key of Object.keys(one)) {
        bytes += key.length + 4;
        waiting.push((one as Record<string, JsonValue>)[key]);
      }
    }
  }
  return bytes;
}

/** Why a payload is refused; undefined when it is small enough. */
export function tooLarge(what: string, value: unknown, limitBytes: number): string | undefined {
  if (bytesOf(value, limitBytes) <= limitBytes) return undefined;
  return `${what} are larger than the limit of ${limitBytes} bytes`;
}
