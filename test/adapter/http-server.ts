/** A local server that speaks what LangServe and LangGraph Server are documented to speak, byte for byte. */
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  path: string;
  /** The body as it came. */
  text: string;
  body: unknown;
  headers: IncomingHttpHeaders;
}

export interface Endpoint {
  url: string;
  asked: Asked[];
  /** Requests whose caller hung up before the answer was whole. */
  abandoned: string[];
  close(): void;
}

export type Answering = (asked: Asked, response: ServerResponse) => void | Promise<void>;

export async function endpoint(answering: Answering): Promise<Endpoint> {
  const asked: Asked[] = [];
  const abandoned: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const sent = await text(request);
    const one: Asked = {
      path: request.url ?? "",
      text: sent,
      body: JSON.parse(sent),
      headers: request.headers,
    };
    asked.push(one);
    response.once("close", () => {
      if (!response.writableFinished) abandoned.push(one.path);
    });
    await answering(one, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    abandoned,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** As sse-starlette writes events, behind both servers: carriage returns, and comments as a heartbeat. */
export function sendEvents(
  response: ServerResponse,
  events: readonly (readonly [event: string, data?: unknown])[],
): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  response.write(": ping - 2026-01-01 00:00:00+00:00\r\n\r\n");
  const text = events
    .map(([event, data]) => {
      const line = data === undefined ? "" : `data: ${JSON.stringify(data)}\r\n`;
      return `event: ${event}\r\n${line}\r\n`;
    })
    .join("");
  // Cut in the middle of lines and characters, as networks do.
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 7) response.write(bytes.subarray(at, at + 7));
  response.end();
}
