/**
 * The report and its kin at a million trials: each question within 300 ms, the database warm.
 *
 * There is nobody to compare with: the limit is one of its own. A month of five flows is written by
 * SQL (see history.ts); one trial in twenty differs, in thousands of divergences. What is asked goes
 * through the code of the commands and pages. Of each the slowest query is told as well.
 */
import { reportOf, STORE_COMMANDS, type StoreCommand } from "../../harness/cli/commands.ts";
import { resolveConfig } from "../../harness/config.ts";
import { renderHtml } from "../../harness/report/html.ts";
import { openSides } from "../../harness/side.ts";
import { readStages } from "../../harness/stage.ts";
import { books } from "../../harness/store/books.ts";
import type { Database, Query } from "../../harness/store/database.ts";
import { migrate } from "../../harness/store/migrate.ts";
import { openPostgres } from "../../harness/store/postgres.ts";
import { recentEvidence } from "../../harness/store/stage-rows.ts";
import { startPostgres } from "../postgres.ts";
import { FLOW_CONFIGS, fillHistory } from "./history.ts";
import { type Figure, median } from "./measure.ts";

const TRIALS = 1_000_000;
const LIMIT_MS = 300;
const ROUNDS = 5;
const WARM_UP_ROUNDS = 2;

interface TimedDatabase extends Database {
  /** Of the slowest query since it was last asked, in milliseconds. */
  slowestMs(): number;
}

function timed(db: Database): TimedDatabase {
  let slowest = 0;
  const query: Query = async (sql, params) => {
    const startedMs = performance.now();
    try {
      return await db.query(sql, params);
    } finally {
      slowest = Math.max(slowest, performance.now() - startedMs);
    }
  };
  return {
    ...db,
    query,
    slowestMs() {
      const last = slowest;
      slowest = 0;
      return last;
    },
  };
}

type Question = (db: Database) => Promise<unknown>;

const CONFIG = resolveConfig({
  flows: FLOW_CONFIGS,
  privacy: { seal: false },
});

function command(name: string, args: Parameters<StoreCommand>[1]): Question {
  const sides = openSides(CONFIG);
  return async (db) => STORE_COMMANDS[name]?.({ config: CONFIG, db, sides }, args);
}

const QUESTIONS: Readonly<Record<string, Question>> = {
  "gate of a flow": command("gate", { flow: "orders" }),
  "gate of a flow that asks models": command("gate", { flow: "replies" }),
  "report of a flow": command("report", { flow: "orders" }),
  "report of all flows": (db) => reportOf({ db, config: CONFIG }),
  "page of all flows": async (db) => renderHtml(await reportOf({ db, config: CONFIG })),
  "stage of a flow": command("stage", { flow: "orders" }),
  "triage history": command("triage history", { flow: "orders" }),
  "a decision": command("triage", {
    ...{ flow: "orders", fingerprint: "v1:0000000000000300", as: "noise" },
    ...{ who: "ann", why: "a benchmark" },
  }),
  "noise of a flow": command("rules propose", { flow: "orders" }),
  "page of an export": command("export", { flow: "orders", after: "20261101" }),
  "books and metrics": books,
  "what a demotion looks at": (db) =>
    recentEvidence(db, "orders", new Date(Date.now() - 86_400_000)),
  "stages of all flows": readStages,
};

export async function report(): Promise<Figure[]> {
  await using stack = new AsyncDisposableStack();
  const postgres = await startPostgres();
  stack.defer(postgres.stop);
  const real = openPostgres({ url: postgres.url });
  stack.defer(() => real.close());
  await migrate(real);
  await fillHistory(real, TRIALS);
  const db = timed(real);
  const figures: Figure[] = [];
  for (const [name, question] of Object.entries(QUESTIONS))
    figures.push(...(await figuresOf(db, name, question)));
  return figures;
}

async function figuresOf(db: TimedDatabase, name: string, ask: Question): Promise<Figure[]> {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await ask(db);
  const [whole, slowest]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    db.slowestMs();
    const startedMs = performance.now();
    await ask(db);
    whole.push(performance.now() - startedMs);
    slowest.push(db.slowestMs());
  }
  return [
    { metric: `${name}, ms`, value: median(whole), atMost: LIMIT_MS },
    { metric: "  its slowest query, ms", value: median(slowest), atMost: LIMIT_MS },
  ];
}
