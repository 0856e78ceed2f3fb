/** One `POST` that does not keep the process alive: a service that is done may end. */
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface PostOptions {
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
}

export interface Posted {
  status: number;
  /** The beginning of what came back. */
  text: string;
}

const TEXT_CHARS = 300;

/** Rejects when nothing came back in time. */
export async function quietPost(
  url: string,
  { headers, body, timeoutMs }: PostOptions,
): Promise<Posted> {
  const open = url.startsWith("https:") ? requestHttps : requestHttp;
  const request = open(url, {
    method: "POST",
    headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
  });
  const timer = setTimeout(() => {
    request.destroy(new Error(`no answer within ${timeoutMs} ms`));
  }, timeoutMs).unref();
  request.on("socket", (socket) => socket.unref());
  const answered = new Promise<Posted>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text = (text + part).slice(0, TEXT_CHARS);
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      response.on("error", reject);
    });
  });
  request.end(body);
  return answered.finally(() => clearTimeout(timer));
}
