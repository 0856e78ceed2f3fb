/** What is kept of a person: found, handed out, deleted, and no more than the configuration says. */
import { readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { flow } from "../../../core/flow.ts";
import type { JsonObject } from "../../../core/json.ts";
import { STORE_COMMANDS } from "../../../harness/cli/commands.ts";
import { type ResolvedConfig, resolveConfig } from "../../../harness/config.ts";
import { openPrivacy, privacyOf } from "../../../harness/privacy/privacy.ts";
import { retire } from "../../../harness/privacy/retention.ts";
import { openShadowHost } from "../../../harness/shadow-host.ts";
import { openSides } from "../../../harness/side.ts";
import { auditLines, verifyAudit } from "../../../harness/store/audit.ts";
import { books } from "../../../harness/store/books.ts";
import { type Harness, openHarness } from "../../../harness/twintrack.ts";
import { KEY } from "../../app/privacy.ts";
import { BACKENDS, freshPlace } from "../../database.ts";
import { wrongTallies } from "../../tallies.ts";

const Mail = z.object({ mail: z.string(), n: z.number() });
const candidate = flow("greet", { version: "1", input: Mail, output: z.unknown() })
  .step("said", { run: ({ input }) => `Hello ${input.mail}` })
  .returns(({ said }) => ({ said }));

const DAY_MS = 86_400_000;

/** A harness of its own on a database of its own. */
async function started(backend: (typeof BACKENDS)[number]) {
  const fresh = await freshPlace(backend);
  const config: ResolvedConfig = {
    ...resolveConfig({
      flows: {
        greet: {
          legacy:
            () =>
            ({ mail }: { mail: string }) => ({ said: `Hi ${mail}` }),
          candidate,
          stage: "shadow",
          subject: (input) => (input as JsonObject).mail as string,
        },
        nobody: { legacy: () => () => 1, candidate, stage: "shadow" },
      },
    }),
    dataDir: fresh.dataDir,
    databaseUrl: fresh.url,
  };
  const harness = openHarness(config);
  const db = await harness.database();
  const desk = { config, db, sides: openSides(config) };
  const run = async (command: string, args: JsonObject) => {
    const execute = STORE_COMMANDS[command];
    if (!execute) throw new Error(`no command ${command}`);
    return (await execute(desk, { who: "ann", ...args })).data as JsonObject;
  };
  const greet = async (...mails: string[]) => {
    for (const [n, mail] of mails.entries()) await harness.live.answer("greet", { mail, n });
    await harness.settle();
  };
  const close = async () => {
    await harness.close();
    await desk.sides.close();
    await fresh.drop();
  };
  return { fresh, harness, db, run, greet, close, config };
}

type Started = Awaited<ReturnType<typeof started>>;

describe.each(BACKENDS)("a person on %s", (backend) => {
  let at: Started;
  beforeAll(async () => {
    at = await started(backend);
    await at.greet("ann@mail.example", "bob@mail.example", "ann@mail.example");
  });
  afterEach(async () => expect(await wrongTallies(at.db)).toEqual([]));
  afterAll(() => at.close());

  const exportOf = async (args: JsonObject, command = "export") =>
    (await at.run(command, { flow: "greet", ...args })).lines as JsonObject[];

  test("is handed out masked, and only that person; raw for whoever may", async () => {
    const lines = await exportOf({ subject: "ann@mail.example" });
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain("@mail.example");
    expect(lines[0]).toMatchObject({
      verdict: "mismatch",
      runs: { legacy: { input: { mail: expect.stringMatching(/^⟨email:/) } } },
      differences: [{ path: "/said" }],
    });
    const raw = await exportOf({ subject: "ann@mail.example" }, "export raw");
    expect(raw[0]).toMatchObject({ runs: { legacy: { input: { mail: "ann@mail.example" } } } });
    expect(await exportOf({})).toHaveLength(3);
    expect(await auditLines(at.db, 2)).toMatchObject([
      { event: "export", about: { raw: false, ofOnePerson: false } },
      { event: "export", who: "ann", about: { flow: "greet", raw: true, ofOnePerson: true } },
    ]);
  });

  test("is nowhere in the store by name", async () => {
    const rows = await at.db.query<{ subject: string }>("select subject from twintrack.trials");
    expect(new Set(rows.map(({ subject }) => subject)).size).toBe(2);
    expect(JSON.stringify(rows)).not.toContain("mail");
  });

  test("is only counted by a purge that nobody confirmed", async () => {
    const counted = { trials: 2, runs: 4, differences: 2 };
    expect(await at.run("purge", { subject: "ann@mail.example" })).toEqual({
      ...counted,
      purged: false,
    });
    expect(await exportOf({ subject: "ann@mail.example" })).toHaveLength(2);
  });

  test("is gone after a purge: no run, no difference, no id; the books balance, others stay", async () => {
    const purged = await at.run("purge", { subject: "ann@mail.example", yes: true });
    expect(purged).toEqual({ trials: 2, runs: 4, differences: 2, purged: true });
    const [line] = await auditLines(at.db, 1);
    expect(line).toMatchObject({ event: "purge", who: "ann", about: { trials: 2 } });
    expect(JSON.stringify(line)).not.toContain("mail");
    expect(await exportOf({ subject: "ann@mail.example" })).toEqual([]);
    expect(await exportOf({ subject: "bob@mail.example" })).toHaveLength(1);
    expect(await books(at.db)).toMatchObject({
      answered: 3,
      verdicts: { mismatch: 1, not_run: 2 },
      open: 0,
      unexplained: 0,
    });
    expect(await verifyAudit(at.db.query)).toMatchObject({ intact: true });
  });

  test("is emptied on arrival when the frame was still in the spool; who comes back counts anew", async () => {
    await at.harness.live.answer("greet", { mail: "eve@mail.example", n: 1 });
    // As if it had been answered before: the spool had not been shipped when the purge was made.
    await at.run("purge", { subject: "eve@mail.example", yes: true });
    await at.db.query("update twintrack.purges set at = now() + interval '1 second'");
    await at.harness.settle();
    expect(await exportOf({ subject: "eve@mail.example" })).toEqual([]);
    const [row] = await at.db.query<{ count: number }>(
      "select count(*)::int as count from twintrack.trials where reason = 'purged' and trigger_id = ''",
    );
    expect(row?.count).toBe(3);
    await at.db.query("update twintrack.purges set at = now() - interval '1 hour'");
    await at.greet("eve@mail.example");
    expect(await exportOf({ subject: "eve@mail.example" })).toHaveLength(1);
    expect(await books(at.db)).toMatchObject({ answered: 5, unexplained: 0 });
  });

  test("who is purged while frames arrive and trials are judged leaves nothing behind", async () => {
    for (let round = 0; round < 4; round++) {
      const mail = `race${round}@mail.example`;
      for (let n = 0; n < 15; n++) await at.harness.live.answer("greet", { mail, n });
      await Promise.all([at.harness.settle(), at.run("purge", { subject: mail, yes: true })]);
      await at.harness.settle();
      expect(await exportOf({ subject: mail })).toEqual([]);
    }
    const [left] = await at.db.query<{ purged: number; runs: number; differences: number }>(
      `select count(*)::int as purged,
         (select count(*)::int from twintrack.runs r join twintrack.trials t on t.id = r.trial_id where t.reason = 'purged') as runs,
         (select count(*)::int from twintrack.differences d join twintrack.trials t on t.id = d.trial_id where t.reason = 'purged') as differences
       from twintrack.trials where reason = 'purged'`,
    );
    expect(left).toEqual({ purged: 63, runs: 0, differences: 0 });
    expect(await books(at.db)).toMatchObject({ answered: 65, open: 0, unexplained: 0 });
  });

  test("cannot be named in a flow that does not know of people", async () => {
    await expect(at.run("purge", { subject: "x", flow: "nobody" })).rejects.toMatchObject({
      code: "USAGE",
      hint: expect.stringContaining("subject:"),
    });
  });
});

describe.each(BACKENDS)("retention on %s", (backend) => {
  let at: Started;
  let harness: Harness;
  beforeAll(async () => {
    at = await started(backend);
    harness = at.harness;
    await at.greet("a@mail.example", "b@mail.example", "c@mail.example");
    await at.db.query(
      "update twintrack.trials set received_at = received_at - (4 - seq) * interval '10 days'",
    );
  });
  afterEach(async () => expect(await wrongTallies(at.db)).toEqual([]));
  afterAll(() => at.close());

  const retireAt = (days: object) =>
    retire(at.db, { dataDir: at.config.dataDir, privacy: days }, Date.now());

  test("without limits deletes nothing", async () => {
    expect(await retireAt({})).toEqual({ trials: 0, payloads: 0 });
  });

  test("drops old payloads once; what was found in them stays, and says why there is no more", async () => {
    expect(await retireAt({ rawDays: 15 })).toEqual({ trials: 0, payloads: 2 });
    expect(await retireAt({ rawDays: 15 })).toEqual({ trials: 0, payloads: 0 });
    const lines = (await at.run("export raw", { flow: "greet" })).lines as JsonObject[];
    const inputs = lines.map(({ runs }) => (runs as JsonObject).legacy);
    expect(inputs.filter((run) => run === "⟨payload_gone⟩")).toHaveLength(2);
    expect(lines.every(({ verdict, differences }) => verdict === "mismatch" && differences)).toBe(
      true,
    );
    // Nothing that reads payloads stumbles: the report, learning, judging once more.
    expect(await at.run("rejudge", { flow: "greet" })).toMatchObject({ trials: 1, skipped: 2 });
    expect(await at.run("learned outputs", {})).toEqual({ learned: [] });
    expect(JSON.stringify(await at.run("report", {}))).toContain("⟨payload_gone⟩");
  });

  test("deletes old trials and counts them: the books still balance", async () => {
    const before = await books(at.db);
    expect(await retireAt({ retentionDays: 25 })).toMatchObject({ trials: 1 });
    expect(await retireAt({ retentionDays: 15 })).toMatchObject({ trials: 1 });
    expect(await books(at.db)).toEqual(before);
    expect(await retireAt({ retentionDays: 0.0001 })).toMatchObject({ trials: 1 });
    expect(await books(at.db)).toEqual({ ...before, answered: 3, unexplained: 0 });
    await at.greet("d@mail.example");
    expect(await books(at.db)).toMatchObject({ answered: 4, unexplained: 0 });
    expect(harness.live.counts().answered).toBe(4);
    const [line] = await auditLines(at.db, 1);
    expect(line).toMatchObject({ event: "retention", who: "twintrack", about: { trials: 1 } });
  });

  test("removes torn spool files that are older than payloads may be", async () => {
    const folder = join(at.config.dataDir, "spool");
    const old = join(folder, "1-x-1.spool.torn");
    writeFileSync(old, "x");
    utimesSync(old, new Date(), new Date(Date.now() - 20 * DAY_MS));
    writeFileSync(join(folder, "1-x-2.spool.torn"), "x");
    await retireAt({ rawDays: 15 });
    expect(readdirSync(folder).filter((name) => name.endsWith(".torn"))).toEqual([
      "1-x-2.spool.torn",
    ]);
  });
});

describe("a rotated key", () => {
  test("seals from now on, while the old one still opens and still finds people", () => {
    const place = { dataDir: "/dev/null", privacy: {} };
    const before = openPrivacy(place, { TWINTRACK_KEY: KEY });
    const other = Buffer.alloc(32, 9).toString("hex");
    const after = openPrivacy(place, { TWINTRACK_KEY: `${other}, ${KEY}` });
    const gone = openPrivacy(place, { TWINTRACK_KEY: other });
    const sealed = before.vault.seal(Buffer.from("{}"), "t.1/legacy");
    expect(after.vault.open(sealed, "t.1/legacy").toString()).toBe("{}");
    expect(() => gone.vault.open(sealed, "t.1/legacy")).toThrow(
      expect.objectContaining({ code: "KEY_UNKNOWN" }),
    );
    expect(() => before.vault.open(after.vault.seal(Buffer.from("{}"), "p"), "p")).toThrow(
      expect.objectContaining({ code: "KEY_UNKNOWN" }),
    );
    expect(after.subjects("f", "ann")).toContain(before.subject("f", "ann"));
  });

  test("that is lost makes trials incomparable, and nothing crashes", async () => {
    const app = await started("postgres");
    try {
      const lost = { ...app.config, dataDir: join(app.config.dataDir, "elsewhere") };
      const host = openShadowHost(lost);
      const payload = privacyOf(app.config).vault.seal(Buffer.from("{}"), "t.1/legacy");
      const trial = {
        id: "t.1",
        flow: "greet",
        triggerId: "x",
        stage: "shadow" as const,
        authoritative: "legacy" as const,
        source: "library" as const,
        receivedAt: new Date().toISOString(),
        noiseWanted: false,
        payload,
      };
      await expect(host.judge(trial, 1_000)).resolves.toMatchObject({
        verdict: "incomparable",
        reason: "key_unknown",
      });
      await host.close();
    } finally {
      await app.close();
    }
  });
});
