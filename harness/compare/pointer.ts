/** JSON Pointers (RFC 6901): `~` is written `~0` and `/` is written `~1`. */

export function escapeSegment(segment: string): string {
  return /[~/]/.test(segment) ? segment.replaceAll("~", "~0").replaceAll("/", "~1") : segment;
}

export function unescapeSegment(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** `""` is the whole document and has no segments. */
export function segmentsOf(pointer: string): string[] {
  return pointer === "" ? [] : pointer.slice(1).split("/").map(unescapeSegment);
}

/** One step of the way from the root to a value; the root has no parent and its key is not read. */
export interface Place {
  readonly parent: Place | undefined;
  readonly key: string | number;
}

/** Pointers are only written out for differences, so that equal data costs no strings. */
export function pointerTo(place: Place): string {
  const segments: string[] = [];
  for (let step = place; step.parent; step = step.parent) {
    segments.push(escapeSegment(String(step.key)));
  }
  return segments
    .reverse()
    .map((segment) => `/${segment}`)
    .join("");
}
