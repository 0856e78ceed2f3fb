/** `keys`, `audit`, `export` and `purge` as a script sees them. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { command, document } from "../app/command.ts";
import { freshDatabase, type TestDatabase } from "../database.ts";

const CONFIG = fileURLToPath(new URL("../app/canary.config.ts", import.meta.url));

let fresh: TestDatabase;
let env: Record<string, string>;
beforeAll(async () => {
  fresh = await freshDatabase("postgres");
  env = { TWINTRACK_DATABASE_URL: fresh.url ?? "", TWINTRACK_DATA_DIR: fresh.dataDir };
  const input = JSON.stringify({ text: "hello", note: "ann@mail.example", output: { n: 1 } });
  const ran = await document(["run", "keeps", "--input", input, "--config", CONFIG], { env });
  expect(ran.reply?.data).toMatchObject({ verdict: "mismatch" });
});
afterAll(() => fresh.drop());

const run = (...args: string[]) => document([...args, "--config", CONFIG], { env });

test("keys add shows a key once; revoke knows it by its id", async () => {
  const added = await run("keys", "add", "--role", "viewer", "--name", "dash", "--days", "9");
  expect(added.code).toBe(0);
  const { key, id } = added.reply.data;
  expect(key).toMatch(new RegExp(`^tt_${id}_[\\w-]{43}$`));
  expect(await run("keys", "revoke", id)).toMatchObject({ code: 0 });
});

test("export writes lines that only their owner may read, masked, or raw on demand", async () => {
  const out = join(fresh.dataDir, "exports");
  const { code, reply } = await run("export", "keeps", "--out", out);
  expect(code).toBe(0);
  const { file } = reply.data;
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [line = "", rest] = readFileSync(file, "utf8").split("\n");
  expect(rest).toBe("");
  expect(line).not.toContain("ann@mail.example");
  expect(JSON.parse(line)).toMatchObject({
    verdict: "mismatch",
    runs: { legacy: { lossy: false } },
  });
  const raw = await command(["export", "keeps", "--raw", "--config", CONFIG], { env });
  expect(JSON.parse(raw.stdout)).toMatchObject({
    runs: { legacy: { input: { note: "ann@mail.example" } } },
  });
});

test("purge counts, and deletes only with --yes", async () => {
  const whom = ["purge", "--subject", "ann@mail.example"];
  const counted = await run(...whom);
  expect(counted).toMatchObject({ code: 0, reply: { data: { trials: 1, purged: false } } });
  expect(counted.reply.warnings[0]).toContain("--yes");
  expect(await run(...whom, "--yes")).toMatchObject({
    code: 0,
    reply: { data: { trials: 1, purged: true } },
  });
});

test("audit tells all of it and verifies; a checkpoint finds a tail that was cut off", async () => {
  const { entries } = (await run("audit", "log")).reply.data;
  const events = entries.map(({ event }: { event: string }) => event);
  expect(events).toEqual(["purge", "export", "export", "key_revoked", "key_added"]);
  const head = (await run("audit", "head")).reply.data.checkpoint;
  expect(await run("audit", "verify", "--head", head)).toMatchObject({
    code: 0,
    reply: { data: { intact: true, entries: 5 } },
  });

  await fresh.db.query("alter table twintrack.audit disable trigger audit_is_append_only");
  await fresh.db.query("delete from twintrack.audit where seq = 5");
  expect(await run("audit", "verify", "--head", head)).toMatchObject({
    code: 3,
    reply: {
      data: { intact: false, brokenSeq: 5, reason: expect.stringContaining("ends before") },
    },
  });
});
