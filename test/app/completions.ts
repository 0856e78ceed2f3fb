/** A local server that speaks OpenAI's chat completions, and remembers what it was asked. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../../core/json.ts";

export interface Completions {
  /** What clients take for the base URL. */
  url: string;
  asked: Asked[];
  close(): Promise<void>;
}

interface Asked {
  body: JsonObject;
  authorization: string | undefined;
  /** Resolves when the client has closed a request that got no answer. */
  left: Promise<void>;
}

/** What the model says to a request: its text, a status with a body that is no completion, or nothing. */
export type Say = (
  body: JsonObject,
  number: number,
) => string | { status: number; body: string } | undefined;

/** @param answers the version that answers, given the name that was asked for */
export async function serveCompletions(
  say: Say,
  answers = (model: string) => model,
): Promise<Completions> {
  const asked: Completions["asked"] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await textOf(request)) as JsonObject;
    const left = new Promise<void>((resolve) => response.once("close", resolve));
    asked.push({ body, authorization: request.headers.authorization, left });
    const said = say(body, asked.length);
    if (said === undefined) return;
    const { status, text } =
      typeof said === "string"
        ? { status: 200, text: completion(answers(String(body.model)), said, asked.length) }
        : { status: said.status, text: said.body };
    response.writeHead(status, { "content-type": "application/json" }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function completion(model: string, content: string, number: number): string {
  return JSON.stringify({
    id: `chatcmpl-${number}`,
    object: "chat.completion",
    created: 1_700_000_000,
    model,
    choices: [
      { index: 0, message: { role: "assistant", content, refusal: null }, finish_reason: "stop" },
    ],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 },
  });
}
