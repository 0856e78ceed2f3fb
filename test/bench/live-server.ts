/**
 * One server of the live benchmark, in a process of its own so that its CPU time is its own.
 *
 * `direct`: a Fastify route per flow that checks the body with a schema and calls legacy.
 * `shadow`: Twintrack's own server on a real spool and store, and its shadow process.
 * Every message is answered with the CPU time of the main thread so far, and the memory it has.
 */
import { fileURLToPath } from "node:url";
import Fastify from "fastify";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import type { RefundRequest } from "../../fixtures/refunds/rules.ts";
import { loadConfig } from "../../harness/config.ts";
import { serve } from "../../harness/http/server.ts";
import { openHarness } from "../../harness/twintrack.ts";
import { waitingLegacy } from "./live-app.ts";
import { threadCpuUs } from "./measure.ts";

export type FromServer =
  | { kind: "listening"; url: string }
  | { kind: "usage"; mainThreadUs: number; rssBytes: number };

interface Served {
  url: string;
  close(): Promise<void>;
}

const number = { type: "number" };
const text = { type: "string" };

function bodyOf(properties: Record<string, object>) {
  const input = { type: "object", required: Object.keys(properties), properties };
  return { body: { type: "object", required: ["input"], properties: { input } } };
}

async function serveDirect(): Promise<Served> {
  const app = Fastify();
  for (const flow of ["waits", "slow", "throwing", "hanging"]) {
    app.post<{ Body: { input: { n: number; waitMs: number } } }>(
      `/flows/${flow}/invoke`,
      { schema: bodyOf({ n: number, waitMs: number }) },
      async ({ body }) => ({ output: await waitingLegacy(body.input) }),
    );
  }
  app.post<{ Body: { input: RefundRequest } }>(
    "/flows/refunds/invoke",
    { schema: bodyOf({ orderId: text, email: text, message: text }) },
    async ({ body }) => ({ output: await refundAgent.invoke(body.input) }),
  );
  return { url: await app.listen({ host: "127.0.0.1", port: 0 }), close: () => app.close() };
}

async function serveShadow(): Promise<Served> {
  const config = await loadConfig(fileURLToPath(new URL("live.config.ts", import.meta.url)));
  const harness = openHarness(config, { inThread: true });
  await harness.database();
  const server = await serve(harness, { port: 0 });
  return {
    url: server.url,
    async close() {
      await server.close();
      await harness.close();
    },
  };
}

function send(message: FromServer): void {
  process.send?.(message);
}

const served = process.argv[2] === "shadow" ? await serveShadow() : await serveDirect();
process.on("message", () =>
  send({ kind: "usage", mainThreadUs: threadCpuUs(), rssBytes: process.memoryUsage.rss() }),
);
process.on("disconnect", () => void served.close().finally(() => process.exit(0)));
send({ kind: "listening", url: served.url });
