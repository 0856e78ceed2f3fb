/**
 * A service as it might run anywhere: it reads one request per line, answers one per line, and
 * knows nothing of Twintrack but a callback handler.
 */
import { createInterface } from "node:readline";
import { TwintrackTracer } from "../../adapter/tracer.ts";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import type { RefundRequest } from "../../fixtures/refunds/rules.ts";

const [url = "", flow = "refunds", queued = "1000"] = process.argv.slice(2);
const tracer = new TwintrackTracer({ flow, url, maxQueuedRuns: Number(queued) });
await tracer.ready;

for await (const line of createInterface(process.stdin)) {
  const startedAt = performance.now();
  const answer = await refundAgent
    .invoke(JSON.parse(line) as RefundRequest, { callbacks: [tracer] })
    .catch((error: Error) => ({ failed: error.message }));
  const tookMs = performance.now() - startedAt;
  console.log(JSON.stringify({ answer, tookMs, counts: tracer.counts }));
}
