/** What legacy does past its tools: retrievers, conversations, people who approve. README says the same. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { STORE_COMMANDS } from "../../harness/cli/commands.ts";
import { type App, startApp } from "../app/start.ts";

const CONFIG = fileURLToPath(new URL("../app/aside.config.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twintrack-aside-"));
let app: App;
beforeAll(async () => {
  process.env.TWINTRACK_MEMORY = folder;
  app = await startApp("postgres", CONFIG);
});
afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
});

/** By which the lines of a history are told apart from those of the next turn. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise(setImmediate);
}

/** Turns of one thread, named as the flow; each is judged when the last one is answered. */
async function converse(flow: string, inputs: readonly object[]) {
  const ids: string[] = [];
  const answers: unknown[] = [];
  for (const input of inputs) {
    const config = { configurable: { thread_id: flow } };
    const { trialId, outcome } = await app.harness.live.answer(flow, input, { config });
    ids.push(trialId);
    answers.push(outcome.status === "returned" ? outcome.value : outcome);
    await nextMillisecond();
  }
  await app.harness.settle();
  const db = await app.harness.database();
  const trials = await db.query<{ verdict: string; reason: string; noise: string }>(
    "select verdict, reason, noise_verdict as noise from twintrack.trials where id = any($1) order by seq",
    [ids],
  );
  const found = await db.query<{ difference: string }>(
    "select difference from twintrack.differences where trial_id = any($1)",
    [ids],
  );
  const differences = found.map(({ difference }) => difference).join("\n");
  return { answers, trials, verdicts: trials.map(({ verdict }) => verdict), differences };
}

const TURNS = [{ text: "one" }, { text: "two" }, { text: "three" }];
const REPLIES = ["one, after 0", "two, after 2", "three, after 4"];

function linesOf(name: string): string[] {
  const file = join(folder, name);
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

test("what a retriever finds is in no record: a tool that searches is refused until it may read live", async () => {
  const refused = await converse("rag", [{ text: "cats" }]);
  const live = await converse("ragLive", [{ text: "cats" }]);
  expect(refused.verdicts).toEqual(["candidate_error"]);
  expect(refused.differences).toMatch(/aside\.search was not called/);
  expect(live.verdicts).toEqual(["match"]);
});

test.each(["byTools", "byToolsAfter"])(
  "a conversation that legacy keeps by tools is answered from their record, before and after cutover (%s)",
  async (flow) => {
    const { answers, verdicts } = await converse(flow, TURNS);
    expect(answers).toEqual(REPLIES);
    expect(verdicts).toEqual(["match", "match", "match"]);
    expect(linesOf(`${flow}.ndjson`)).toHaveLength(6);
  },
);

test("a conversation that legacy keeps in LangChain's memory is read as it was when the trigger came", async () => {
  const past = await converse("byMemory", TURNS);
  const live = await converse("byMemoryLive", TURNS);
  expect(past.answers).toEqual(REPLIES);
  // Only the write that legacy makes in code is explained.
  expect(past.verdicts).toEqual(["ignored", "ignored", "ignored"]);
  expect(live.verdicts).toEqual(["mismatch", "mismatch", "mismatch"]);
  expect(linesOf("byMemory.ndjson")).toHaveLength(6);
});

test("after cutover a conversation goes on in the history of both, and legacy's memory is incomparable", async () => {
  const { answers, verdicts } = await converse("byMemoryAfter", TURNS);
  expect(answers).toEqual(REPLIES);
  expect(verdicts).toEqual(["incomparable", "incomparable", "incomparable"]);
  expect(linesOf("byMemoryAfter.ndjson")).toHaveLength(6);
});

async function moved(command: "cutover" | "rollback", flow: string): Promise<void> {
  const { config, harness } = app;
  const db = await harness.database();
  const desk = { config, db, sides: harness.sides };
  await STORE_COMMANDS[command]?.(desk, { flow, who: "ann", why: "-", override: true });
  await harness.stages.refresh(db);
}

test("a thread goes on across cutover and rollback in a history that both sides use", async () => {
  await moved("cutover", "moving");
  const [first] = (await converse("moving", [{ text: "one" }])).answers;
  await moved("rollback", "moving");
  const [second] = (await converse("moving", [{ text: "two" }])).answers;
  await moved("cutover", "moving");
  const [third] = (await converse("moving", [{ text: "three" }])).answers;
  expect([first, second, third]).toEqual(REPLIES);
});

const ASKED = { id: "asked" };
const APPROVED = { id: "asked", approved: true };

test("a graph that is interrupted and resumed matches a flow that asks and is told, also with itself", async () => {
  const { answers, trials } = await converse("approval", [ASKED, APPROVED]);
  expect(answers).toMatchObject([
    { __interrupt__: [{ value: { question: "Send it?" } }] },
    { status: "sent" },
  ]);
  expect(trials).toMatchObject([
    { verdict: "match", noise: "match" },
    { verdict: "match", noise: "match" },
  ]);
  expect(linesOf("sent.txt")).toEqual(["asked"]);
});

test("after cutover the flow asks and is told, and legacy has no thread to resume, nor after a rollback", async () => {
  const { answers, trials } = await converse("approvalAfter", [
    { id: "after" },
    { id: "after", approved: true },
  ]);
  expect(answers).toEqual([{ question: "Send it?" }, { status: "sent" }]);
  expect(trials).toMatchObject([
    { verdict: "incomparable", reason: expect.stringContaining("memory_unrecorded") },
    { verdict: "incomparable", reason: expect.stringContaining("memory_unrecorded") },
  ]);
  await converse("approvalAfter", [{ id: "later" }]);
  await moved("rollback", "approvalAfter");
  const { answers: back } = await converse("approvalAfter", [{ id: "later", approved: true }]);
  expect(back).not.toMatchObject([{ status: "sent" }]);
  expect(linesOf("sent.txt")).toEqual(["asked", "after"]);
});
