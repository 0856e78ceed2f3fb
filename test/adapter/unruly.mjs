#!/usr/bin/env node
// Stands in for Python and breaks the protocol; the last argument says how.
import { closeSync } from "node:fs";
import { createInterface } from "node:readline";

const how = process.argv.at(-1);
const send = (message) =>
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const text = (value) => ({ content: [{ type: "text", text: value }] });

if (process.argv[2] === "-c") process.exit(1);

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (how === "silent") return;
  if (how.startsWith("speaks")) return speak(id, method, how.slice("speaks ".length));
  if (method === "initialize") send({ id, result: {} });
  else if (method === "tools/list") send({ id, result: { tools: [] } });
  else if (id !== undefined) answer(id);
});

/** A server of another age: what it says for its version, or that it knows no `initialize`. */
function speak(id, method, version) {
  if (method === "tools/call") send({ id, result: text(version) });
  else if (method === "tools/list") send({ id, result: { tools: [] } });
  else if (id === undefined) return;
  else if (version === "nothing")
    send({ id, error: { code: -32601, message: "Method not found" } });
  else send({ id, result: { protocolVersion: version } });
}

function answer(id) {
  if (how === "strays") {
    process.stdout.write("not json\n[]\n\n\u0000\n");
    send({ id: id + 100, result: text("for nobody") });
    send({ id: String(id), result: text("id of another type") });
    send({ id, result: text("right") });
    send({ id, result: text("twice") });
  } else if (how === "bytes") {
    const bytes = Buffer.from(
      `${JSON.stringify({ jsonrpc: "2.0", id, result: text("é\u2028😀") })}\r\n`,
    );
    for (const byte of bytes) process.stdout.write(Buffer.from([byte]));
  } else if (how === "endless") {
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":"${"x".repeat(3_000_000)}"}\n`);
    send({ id: id + 1, result: text("after") });
  } else if (how === "closes") {
    closeSync(1);
    closeSync(0);
    setInterval(() => {}, 1_000);
  } else if (how === "corpus") {
    const right = JSON.stringify({ jsonrpc: "2.0", id, result: text("right") });
    process.stdout.write(`\ufeff\r\n \t\n{"jsonrpc":"2.0",\n"id":${id}}\n${right}\r\n{"a":1}\n`);
  } else if (how === "newlineless") {
    process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":"${"x".repeat(20_000_000)}`);
  } else if (how === "late") {
    process.stdin.once("data", () => {
      send({ id, result: text("too late") });
      send({ method: "notifications/twintrack/settled", params: { requestId: id } });
    });
  } else if (how === "deaf") {
    process.stdin.pause();
    setInterval(() => {}, 1_000);
  } else if (how === "immortal") {
    process.on("SIGTERM", () => {});
    setInterval(() => {}, 1_000);
    send({ id, result: text(String(process.pid)) });
  } else if (how === "malformed") {
    send({ id });
  }
}
