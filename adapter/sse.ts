/** Server-sent events as they arrive. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import { TwintrackError } from "../core/error.ts";

export interface ServerEvent {
  event: string;
  data: string;
}

/** One event may not grow beyond what an answer may. */
const MAX_EVENT_CHARS = 16 * 1024 * 1024;

const LINE_END = /\r\n|\n|\r(?!$)/;

/** @throws {TwintrackError} `VALUE_TOO_LARGE` for an event without an end. */
export async function* serverEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerEvent, void, void> {
  let rest = "";
  let fields: string[] = [];
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split(LINE_END);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") fields.push(line);
      else {
        const event = eventOf(fields);
        fields = [];
        if (event) yield event;
      }
    }
    if (rest.length > MAX_EVENT_CHARS) throw tooLarge();
  }
}

/** Undefined for comments, which servers send to keep a connection open. */
function eventOf(lines: readonly string[]): ServerEvent | undefined {
  const fields = lines.map(fieldOf);
  const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
  const event = fields.findLast(([name]) => name === "event")?.[1];
  if (data.length === 0 && event === undefined) return undefined;
  return { event: event ?? "message", data: data.join("\n") };
}

function fieldOf(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}

function tooLarge(): TwintrackError {
  return new TwintrackError(
    "VALUE_TOO_LARGE",
    `One event of the stream is larger than ${MAX_EVENT_CHARS} characters`,
  );
}
