/** `twintrack replay` as a user meets it: exit codes, Ctrl-C, and an export of another tool. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BaseTracer, type Run } from "@langchain/core/tracers/base";
import { afterAll, beforeAll, expect, test } from "vitest";
import { refundAgent } from "../../fixtures/refunds/agent.ts";
import { document, MAIN, ROOT, startServe } from "../app/command.ts";
import { CONFIG_FILE } from "../app/start.ts";
import { createDatabase } from "../database.ts";

const folder = mkdtempSync(join(tmpdir(), "twintrack-replay-"));
let env: Record<string, string>;
beforeAll(async () => {
  const url = await createDatabase(`replay_${process.pid}`);
  env = { TWINTRACK_DATABASE_URL: url, TWINTRACK_DATA_DIR: join(folder, "data") };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, lines: readonly object[]) => {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  return path;
};

test("Ctrl-C ends a replay with 130 and the command that goes on; that one ends with 3", async () => {
  const lines = Array.from({ length: 24 }, () => ({ input: { n: 1 }, output: { sum: 2 } }));
  const words = ["replay", "hangs", "--file", file("hangs.ndjson", lines), "--config", CONFIG_FILE];
  const child = spawn(process.execPath, [MAIN, ...words, "--json"], {
    cwd: ROOT,
    env: { ...process.env, ...env },
  });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const said = { text: "" };
    stream.setEncoding("utf8").on("data", (text: string) => {
      said.text += text;
      if (/replayed [3-9] of 24/.test(said.text)) child.kill("SIGINT");
    });
    return said;
  }) as [{ text: string }, { text: string }];
  const [code] = await once(child, "close");
  expect(stderr.text).toContain("replayed 0 of 24");
  expect(code).toBe(130);
  const ended = JSON.parse(stdout.text);
  expect(ended).toMatchObject({ ok: false, data: { complete: false, total: 24 } });
  expect(ended.data.done).toBeLessThan(24);
  expect(ended.next).toEqual([`twintrack replay --resume ${ended.data.id}`]);
  const rest = await document(["replay", "--resume", ended.data.id, "--config", CONFIG_FILE], {
    env,
  });
  expect(rest.code).toBe(3);
  expect(rest.reply.data).toMatchObject({
    complete: true,
    done: 24,
    verdicts: { candidate_timeout: 24 },
  });
});

test("a server that holds the embedded database replays for whoever asks", async () => {
  const embedded = { TWINTRACK_DATA_DIR: join(folder, "embedded") };
  const server = await startServe({ env: embedded });
  try {
    const lines = [1, 2, 3].map((n) => ({ input: { n }, output: { sum: n + 1 } }));
    const words = ["replay", "add", "--file", file("add.ndjson", lines), "--config", CONFIG_FILE];
    const { code, reply } = await document(words, { env: embedded });
    expect(reply.data).toMatchObject({ complete: true, verdicts: { match: 3 } });
    expect(code).toBe(0);
  } finally {
    await server.end();
  }
});

class KeepingTracer extends BaseTracer {
  name = "keeping";
  readonly roots: Run[] = [];
  protected override async persistRun(run: Run): Promise<void> {
    this.roots.push(run);
  }
}

test("runs traced by LangChain itself replay against the typed flow, equal and without a write", async () => {
  const tracer = new KeepingTracer();
  const messages = [
    "The parcel arrived and one item is broken.",
    "Wrong colour. Can I have my money back?",
  ];
  const people = ["elif.fischer.1@example.com", "hanna.costa.2@example.com"];
  for (const [index, message] of messages.entries())
    await refundAgent.invoke(
      { orderId: `A-1000${index + 1}`, email: people[index] ?? "", message },
      { callbacks: [tracer] },
    );
  const runs = file("runs.jsonl", tracer.roots);
  const config = join(ROOT, "fixtures", "twintrack.config.ts");
  const sink = join(folder, "sink.ndjson");
  const words = ["replay", "refunds", "--import", "langsmith", runs, "--config", config];
  const { code, reply } = await document(words, {
    env: { ...env, TWINTRACK_SINK: sink, TWINTRACK_PYTHON_PROBLEM: "not needed here" },
  });
  expect(reply.data.problems).toEqual([]);
  expect(reply.data.verdicts).toEqual({ match: 2 });
  expect(code).toBe(0);
});

test.each([
  [["replay"], "replay needs a flow"],
  [["replay", "add", "--since", "soon"], "--since soon is no date"],
  [["replay", "add", "--limit", "-1"], "--limit"],
  [["replay", "add", "--import", "langsmith"], "is no format and file"],
  [["replay", "add", "--import", "csv", "x"], "is no format and file"],
  [["replay", "add", "--file", "x", "--limit", "3"], "choose stored trials"],
  [["replay", "add", "--file", "/nowhere.ndjson"], "cannot be read"],
])("%j is refused with exit 2", async (words, message) => {
  const { code, error } = await document([...words, "--config", CONFIG_FILE], { env });
  expect(code).toBe(2);
  expect(error.message).toContain(message);
});
