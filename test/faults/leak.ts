/** Sends canaries through a real server in every place there is, and reads back every byte it wrote. */
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import { books } from "../../harness/store/books.ts";
import type { Database } from "../../harness/store/database.ts";
import { command, invoke, type Serving, startServe } from "../app/command.ts";
import { PLAIN } from "../app/privacy.ts";
import { freshDatabase } from "../database.ts";
import { type Canary, canaries, filesBelow, searchFor } from "./canary.ts";

const CONFIG = fileURLToPath(new URL("../app/canary.config.ts", import.meta.url));
/** Of one request; see `send`. */
const PLACES = 12;
const AT_ONCE = 8;

export interface Leaks {
  sent: number;
  /** What was found, as `kind in place`. */
  found: string[];
  /** Different canaries among them. */
  leaked: number;
  /** Bytes that were read back. */
  searched: number;
}

/** @param deaths how many candidates take their process with them; each costs two starts */
export async function leaksOf(
  count: number,
  privacy: "on" | "off",
  deaths: number,
): Promise<Leaks> {
  const fresh = await freshDatabase("postgres");
  const env = {
    TWINTRACK_DATABASE_URL: fresh.url ?? "",
    TWINTRACK_DATA_DIR: fresh.dataDir,
    TWINTRACK_TEST_PRIVACY: privacy,
  };
  const hidden = canaries(count, 11);
  const written: { place: string; bytes: Uint8Array | string }[] = [];
  const serving = await startServe({ config: CONFIG, env });
  try {
    const answered = await sendAll(serving, hidden, deaths, (place, bytes) =>
      written.push({ place, bytes }),
    );
    await untilJudged(fresh.db, answered);
    for (const path of ["/", "/api/report", "/metrics", "/readyz"])
      written.push({ place: path, bytes: await (await fetch(`${serving.url}${path}`)).text() });
    const told = await command(["report", "--json", "--config", CONFIG], { env });
    written.push({ place: "twintrack report", bytes: told.stdout + told.stderr });
    written.push(...filesBelow(fresh.dataDir).map(({ path, bytes }) => ({ place: path, bytes })));
    expect(await serving.end()).toBe(0);
    written.push({ place: "stderr", bytes: serving.said() });
    written.push(...filesBelow(fresh.dataDir).map(({ path, bytes }) => ({ place: path, bytes })));
    expect(told.code).toBe(0);
    return summary(hidden, written.concat(await rowsOf(fresh.db)));
  } finally {
    await serving.end();
    await fresh.drop();
  }
}

type Note = (place: string, bytes: string) => void;

/** @returns how many triggers were answered */
async function sendAll(
  serving: Serving,
  hidden: readonly Canary[],
  deaths: number,
  note: Note,
): Promise<number> {
  const groups = Array.from({ length: Math.ceil(hidden.length / PLACES) }, (_, index) =>
    hidden.slice(index * PLACES, (index + 1) * PLACES),
  );
  let answered = 0;
  const worker = async () => {
    for (let group = groups.shift(); group; group = groups.shift()) {
      const more = await send(serving.url, group, groups.length < deaths, note);
      answered += more;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answered;
}

async function send(url: string, group: readonly Canary[], dies: boolean, note: Note) {
  const of = (place: number) => group[place % group.length] as Canary;
  const input = {
    text: `Please look at ${of(0).text}.`,
    note: of(1).text,
    json: JSON.stringify({ inner: [of(2).text] }),
    nested: { list: [{ deep: of(3).text }], password: of(3).secret },
    output: {
      message: `We have ${of(4).text} on file`,
      items: [of(5).text, { token: of(5).secret }],
      byKey: { [of(6).text]: 1 },
    },
  };
  const kept = await invoke(url, "keeps", input, keyOf(of(7)));
  expect(kept.status).toBe(200);
  await invoke(url, "typed", { ...input, note: of(8).text }, keyOf(of(9)));
  const failed = await invoke(url, "fails", { ...input, text: of(10).text });
  expect(failed.status).toBe(502);
  note("problem", JSON.stringify(failed.body));
  if (dies) await invoke(url, "dies", { ...input, text: of(10).text });
  const refused = await invoke(url, "keeps", { ...input, note: { [of(9).text]: of(11).text } });
  expect(refused.status).toBe(422);
  note("problem", JSON.stringify(refused.body));
  await tap(url, of(11), input);
  return dies ? 5 : 4;
}

/** A header holds no line ends. */
function keyOf({ secret }: Canary): Record<string, string> {
  const line = secret.replaceAll("\n", " ");
  return { "idempotency-key": `${line}`, "x-note": line };
}

async function tap(url: string, canary: Canary, input: object): Promise<void> {
  const outcome = { status: "returned", value: { said: canary.text } };
  const timing = { startedAtMs: 0, durationMs: 1 };
  const run = {
    seq: 1,
    triggerId: `${canary.secret} ${randomUUID()}`,
    receivedAt: new Date().toISOString(),
    input,
    outcome,
    calls: [{ tool: "remember", args: { note: canary.text }, outcome, ...timing }],
    modelCalls: [
      {
        request: {
          model: "m",
          messages: [{ role: "user", content: `My key is ${canary.text}` }],
          tools: [],
          params: { apiKey: canary.secret },
        },
        outcome,
        ...timing,
      },
    ],
    durationMs: 1,
  };
  const response = await fetch(`${url}/tap/tapped`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ epoch: randomUUID(), runs: [run], gaps: [] }),
  });
  expect(await response.json()).toEqual({ accepted: 1, duplicates: 0 });
}

async function untilJudged(db: Database, answered: number): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(await books(db)).toMatchObject({ open: 0, answered });
    },
    { timeout: 120_000, interval: 200 },
  );
}

/** Every value of every table: bytes as they are, and, where nothing sealed them, what they hold. */
async function rowsOf(db: Database): Promise<{ place: string; bytes: Uint8Array | string }[]> {
  const tables = await db.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname like 'twintrack%' order by 1`,
  );
  const found: { place: string; bytes: Uint8Array | string }[] = [];
  for (const { name } of tables) {
    for (const row of await db.query<Record<string, unknown>>(`select * from ${name}`)) {
      for (const [column, value] of Object.entries(row)) {
        const place = `${name}.${column}`;
        if (!(value instanceof Uint8Array))
          found.push({ place, bytes: typeof value === "string" ? value : JSON.stringify(value) });
        else found.push({ place, bytes: value }, ...plainOf(place, value));
      }
    }
  }
  return found;
}

/** Compressed is not sealed. */
function plainOf(place: string, value: Uint8Array) {
  try {
    return [{ place, bytes: PLAIN.vault.open(value, "") }];
  } catch {
    return [];
  }
}

function summary(
  hidden: readonly Canary[],
  written: readonly { place: string; bytes: Uint8Array | string }[],
): Leaks {
  const search = searchFor(hidden);
  const hits = written.flatMap(({ place, bytes }) =>
    search(bytes).map((canary) => ({ canary, text: `${canary.kind} in ${place}` })),
  );
  return {
    sent: hidden.length,
    found: [...new Set(hits.map(({ text }) => text))],
    leaked: new Set(hits.map(({ canary }) => canary)).size,
    searched: written.reduce((sum, { bytes }) => sum + bytes.length, 0),
  };
}
