/** Fills its heap and tells when it sheds; see host.test.ts. */
import { openBacklog } from "../../harness/backlog.ts";
import { resolveConfig } from "../../harness/config.ts";

const notFull = { isFull: () => false } as Parameters<typeof openBacklog>[1];
const backlog = openBacklog(resolveConfig({ flows: {} }), notFull);
const before = backlog.isFull("any");
const kept: number[][] = [];
const until = performance.now() + 20_000;
while (!backlog.isFull("any") && performance.now() < until) {
  kept.push(Array.from({ length: 20_000 }, (_, index) => index + kept.length));
  const asked = performance.now();
  while (performance.now() - asked < 1); // It asks at most ten times a second.
}
process.stdout.write(JSON.stringify({ before, short: backlog.isFull("any") }));
