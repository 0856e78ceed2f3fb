#!/usr/bin/env node
// Stands in for Python: before each right answer it writes damaged frames. The last argument is
// `babble SEED FRAMES`: how many of them before each answer.
import { createInterface } from "node:readline";
import { pick, seeded } from "../../fixtures/seeded.ts";

const [, seed, frames] = String(process.argv.at(-1)).split(" ").map(Number);
const random = seeded(seed ?? 1);
const frame = (message) => Buffer.from(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const text = (value) => ({ content: [{ type: "text", text: value }] });

if (process.argv[2] === "-c") process.exit(1);

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method } = JSON.parse(line);
  if (method === "initialize") process.stdout.write(frame({ id, result: {} }));
  else if (method === "tools/list") process.stdout.write(frame({ id, result: { tools: [] } }));
  else if (id !== undefined) await babble(id);
});

async function babble(id) {
  for (let sent = 0; sent < frames; sent += 1) {
    if (!process.stdout.write(mutated(sample(id)))) {
      await new Promise((resolve) => process.stdout.once("drain", resolve));
    }
  }
  // Ends whatever line the damage left open.
  process.stdout.write("\n");
  process.stdout.write(frame({ id, result: text("right") }));
}

/** What a bridge says, to other ids and about other requests as well. */
function sample(id) {
  const other = id + Math.floor(random() * 10) + 1;
  return frame(
    pick(random, [
      { id: other, result: text("for another") },
      { id: other, error: { code: -32603, message: "x", data: { code: "TOOL_FAILED" } } },
      { method: "notifications/progress", params: { progressToken: id, progress: random() } },
      { method: "notifications/twintrack/settled", params: { requestId: other } },
      { method: "notifications/unknown", params: { deep: { __proto__: [1], constructor: 1 } } },
      { id: String(id), result: text("id of another type") },
      { id: null, error: { code: -32700, message: "parse error" } },
    ]),
  );
}

const DAMAGE = [
  (bytes) => Buffer.concat([bytes.subarray(0, place(bytes)), bytes.subarray(place(bytes))]),
  (bytes) => bytes.subarray(0, place(bytes)),
  (bytes) => Buffer.concat([bytes, bytes]),
  (bytes) => bytes.map((byte) => (random() < 0.05 ? Math.floor(random() * 256) : byte)),
  (bytes) => Buffer.from(bytes.toString("latin1").replace(/\d+/, pick(random, NUMBERS)), "latin1"),
  (bytes) =>
    Buffer.from(bytes.toString("latin1").replace(/[{[]/g, pick(random, BRACKETS)), "latin1"),
  () => Buffer.from(`${"[".repeat(Math.floor(random() * 2_000))}\n`),
  () => Buffer.from("\ufeff\r\n\n \u0000\n"),
];
const NUMBERS = ["-1", "1e400", "9007199254740993", "null", '"1"', "{}", "NaN", ""];
const BRACKETS = ["[", "{", "(", '"', "{{"];

function mutated(bytes) {
  return pick(random, DAMAGE)(bytes);
}

function place(bytes) {
  return Math.floor(random() * bytes.length);
}
