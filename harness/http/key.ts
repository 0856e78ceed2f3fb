import { timingSafeEqual } from "node:crypto";

/** True when the header is `Bearer <key>`, compared in constant time. */
export function isBearer(header: string | undefined, key: string): boolean {
  const given = Buffer.from(header ?? "");
  const wanted = Buffer.from(`Bearer ${key}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
