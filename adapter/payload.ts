/** How large a JSON value is, and where that is too much. */
import type { JsonValue } from "../core/json.ts";

/**
 * About the bytes that the value has as JSON text, without making that text: escapes are not
 * counted. Stops counting above the limit.
 */
export function bytesOf(value: unknown, limitBytes = Number.POSITIVE_INFINITY): number {
  return sizeOf(value, limitBytes, Buffer.byteLength);
}

function sizeOf(value: unknown, limit: number, textSize: (text: string) => number): number {
  let size = 0;
  const waiting: unknown[] = [value];
  while (waiting.length > 0 && size <= limit) {
    const one = waiting.pop();
    if (typeof one === "string") size += textSize(one) + 2;
    else if (typeof one !== "object" || one === null) size += 5;
    else if (Array.isArray(one)) {
      size += one.length + 2;
      for (const item of one) waiting.push(item);
    } else {
      size += 2;
      for (const key of Object.keys(one)) {
        size += key.length + 4;
        waiting.push((one as Record<string, JsonValue>)[key]);
      }
    }
  }
  return size;
}

/** UTF-8 needs three bytes for a UTF-16 unit at most. */
const atMost = (text: string) => text.length * 3;

/** Why a payload is refused; undefined when it is small enough. */
export function tooLarge(what: string, value: unknown, limitBytes: number): string | undefined {
  // Counting characters is cheap, and enough for all but the largest.
  if (sizeOf(value, limitBytes, atMost) <= limitBytes) return undefined;
  if (bytesOf(value, limitBytes) <= limitBytes) return undefined;
  return `${what} are larger than the limit of ${limitBytes} bytes`;
}
