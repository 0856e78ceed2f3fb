/** Conversations in a dual run: two runs of one chain, and one memory that only the first may change. */
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { privacyOf } from "../../harness/privacy/privacy.ts";
import { exportPage } from "../../harness/store/export.ts";
import { type App, startApp } from "../app/start.ts";

const CONFIG = fileURLToPath(new URL("../app/memory.config.ts", import.meta.url));

/** Where a shadow may write: only the overlay keeps it from doing so. */
const folder = mkdtempSync(join(tmpdir(), "twintrack-memory-"));
let app: App;
beforeAll(async () => {
  process.env.TWINTRACK_MEMORY = folder;
  app = await startApp("postgres", CONFIG);
});
afterAll(() => app.close());

interface Judged {
  verdict: string;
  reason: string | null;
  noise: string | null;
}

async function answer(flow: string, session: string, text: string): Promise<string> {
  const { trialId, outcome } = await app.harness.live.answer(flow, { session, text });
  expect(outcome.status).toBe("returned");
  return trialId;
}

async function judged(trialIds: readonly string[]): Promise<Judged[]> {
  await app.harness.settle();
  const db = await app.harness.database();
  return db.query<Judged & Record<string, unknown>>(
    "select verdict, reason, noise_verdict as noise from twintrack.trials where id = any($1) order by seq",
    [trialIds],
  );
}

function remembered(): Record<string, string> {
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** Three triggers of one conversation, answered before any of them is judged. */
async function converse(flow: string): Promise<{ trials: Judged[]; untouched: boolean }> {
  const ids: string[] = [];
  for (const text of ["one", "two", "three"]) ids.push(await answer(flow, `s-${flow}`, text));
  const before = remembered();
  const trials = await judged(ids);
  return { trials, untouched: JSON.stringify(before) === JSON.stringify(remembered()) };
}

test.each(["chat", "thread", "chatInPython", "threadInPython"])(
  "H5: legacy run twice on each turn of a conversation is a match, and writes its memory once (%s)",
  async (flow) => {
    const { trials, untouched } = await converse(flow);
    expect(trials.map(({ noise }) => noise)).toEqual(["match", "match", "match"]);
    expect(untouched).toBe(true);
  },
);

test("H5: a memory that nobody can see makes such a conversation differ, and is written twice", async () => {
  const { trials, untouched } = await converse("unseen");
  expect(trials.map(({ noise }) => noise)).toContain("mismatch");
  expect(untouched).toBe(false);
});

test("H5: after cutover legacy has no memory of what candidate answered, and nothing is held against it", async () => {
  const { trials, untouched } = await converse("chatAfter");
  const incomparable = { verdict: "incomparable", reason: "memory_unrecorded: messages" };
  expect(trials).toEqual(trials.map(() => ({ ...incomparable, noise: null })));
  expect(trials).toHaveLength(3);
  expect(untouched).toBe(true);
});

test.each(["chatAfterLive", "threadAfterLive", "chatInPythonAfterLive"])(
  "H5: after cutover legacy may read its memory where reads are live, and does not write it (%s)",
  async (flow) => {
    const { trials, untouched } = await converse(flow);
    expect(trials.map(({ verdict }) => verdict)).toEqual(["mismatch", "mismatch", "mismatch"]);
    expect(untouched).toBe(true);
  },
);

test("a checkpoint is handed out raw or not at all: no mask can look into it", async () => {
  const flow = "thread";
  const session = "s-exported";
  for (const text of ["ann@mail.example", "well?"]) await answer(flow, session, text);
  await judged([]);
  const db = await app.harness.database();
  const handedOut = async (raw: boolean) => {
    const lines = await exportPage(db, privacyOf(app.config), { flow, afterId: "", raw });
    return lines.map((line) => withBytesRead(JSON.stringify(line))).join("\n");
  };
  expect(await handedOut(true)).toContain("ann@mail.example");
  const masked = await handedOut(false);
  expect(masked).not.toContain("ann@mail.example");
  expect(masked).toContain("⟨opaque⟩");
});

/** The text, and what it holds in base64. */
function withBytesRead(text: string): string {
  const hidden = text.match(/[A-Za-z0-9+/]{24,}/g) ?? [];
  return [text, ...hidden.map((one) => Buffer.from(one, "base64").toString("utf8"))].join(" ");
}
