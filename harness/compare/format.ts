/** Values whose content does not matter as long as both sides have the right form. */
export type Format = "uuid" | "ip" | "url" | "time";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** ISO 8601 or RFC 3339, with or without the time of day. */
const TIME =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

const CHECKS: Record<Format, (text: string) => boolean> = {
  uuid: (text) => UUID.test(text),
  ip: (text) => text.length <= 45 && (IPV4.test(text) || isIpv6(text)),
  url: (text) => /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && URL.canParse(text),
  time: (text) => timeOf(text) !== undefined,
};

export function hasFormat(format: Format, text: string): boolean {
  return CHECKS[format](text);
}

/** Milliseconds since the epoch of a timestamp text; a number counts as such already. */
export function timeOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !TIME.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

function isIpv6(text: string): boolean {
  return text.includes(":") && /^[0-9a-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]/`);
}
