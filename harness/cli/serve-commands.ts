/** Commands that keep running, and the schema. */
import { setTimeout as pause } from "node:timers/promises";
import { isTwintrackError, TwintrackError } from "../../core/error.ts";
import { noteConfig } from "../audit/config-change.ts";
import { loadConfig, type ResolvedConfig } from "../config.ts";
import { privacyOf, runPlace } from "../privacy/privacy.ts";
import { secretOf } from "../secret.ts";
import { migrationStatus } from "../store/migrate.ts";
import { connectDatabase, openDatabase } from "../store/open.ts";
import { newestPayload } from "../store/trials.ts";
import type { Harness } from "../twintrack.ts";
import { warmUp } from "../warm-up.ts";
import type { Cli } from "./main.ts";
import { currentUser, MAX_PORT, wholeNumber } from "./option.ts";
import { EXIT, type Reply } from "./reply.ts";

export function addServeCommands(cli: Cli): void {
  cli.program
    .command("serve")
    .description("answer flows over HTTP and judge their trials")
    .option("--port <port>", "default: TWINTRACK_PORT or 4100")
    .option("--host <host>", "default: TWINTRACK_HOST or 127.0.0.1")
    .option("--no-work", "leave the judging of trials to `twintrack work` processes")
    .addHelpText("after", "\nExample:\n  twintrack serve --port 4100")
    .action((options: ServeOptions) => cli.run(() => startServer(cli, options)));
  cli.program
    .command("work")
    .description("judge trials that other processes answered; start as many as you need")
    .addHelpText(
      "after",
      "\nExample:\n  TWINTRACK_DATABASE_URL=postgres://localhost/app twintrack work",
    )
    .action(() => cli.run(() => startWorker(cli)));
  cli.program
    .command("migrate [what]")
    .description("bring the schema up to date; `migrate status` only looks")
    .addHelpText("after", "\nExample:\n  twintrack migrate status")
    .action((what?: string) => cli.run(() => migrateStore(cli, what)));
}

interface ServeOptions {
  port?: string;
  host?: string;
  /** Set by commander for `--no-work`. */
  work: boolean;
}

async function startServer(cli: Cli, options: ServeOptions) {
  const given = options.port ?? process.env.TWINTRACK_PORT ?? 4100;
  const port = wholeNumber("--port", given, MAX_PORT);
  const config = await loadConfig(cli.options().config);
  const [{ openHarness }, { serve }] = await Promise.all([
    import("../twintrack.ts"),
    import("../http/server.ts"),
  ]);
  const harness = openHarness(config, { judges: options.work, inThread: true });
  const warnings = await refuseToShare(harness);
  const host = options.host ?? process.env.TWINTRACK_HOST ?? "127.0.0.1";
  const apiKey = secretOf("TWINTRACK_API_KEY");
  const server = await serve(harness, { host, port, ...(apiKey ? { apiKey } : {}) }).catch(
    async (error: unknown) => {
      await harness.close();
      throw error;
    },
  );
  void warmUp(harness);
  onStop("finishing running requests", () => server.close().then(() => harness.close()));
  const flows = Object.keys(harness.config.flows);
  const text = [
    `twintrack on ${server.url} (report: ${server.url}/)`,
    ...flows.map(
      (flow) => `  POST ${server.url}/flows/${flow}/invoke  ${harness.stages.of(flow).stage}`,
    ),
  ].join("\n");
  const data = { url: server.url, flows };
  const reply: Reply = { command: "serve", exitCode: EXIT.ok, data, warnings, keepsRunning: true };
  return { reply, text };
}

async function startWorker(cli: Cli) {
  const config = await loadConfig(cli.options().config);
  if (config.databaseUrl === undefined) {
    throw new TwintrackError(
      "USAGE",
      "The embedded database belongs to one process, and that one judges its trials itself",
      { hint: "Set TWINTRACK_DATABASE_URL to a Postgres that several processes share." },
    );
  }
  await requireKey(config);
  const { openHarness } = await import("../twintrack.ts");
  const harness = openHarness(config);
  const warnings = await refuseToShare(harness);
  onStop("giving back what is under way", async () => {
    await harness.close();
    process.stderr.write(`judged ${harness.status().shadow.judged} trials\n`);
  });
  const flows = Object.keys(config.flows);
  const text = `twintrack judges the trials of ${flows.join(", ")}`;
  const data = { pid: process.pid, flows };
  const reply: Reply = { command: "work", exitCode: EXIT.ok, data, warnings, keepsRunning: true };
  return { reply, text };
}

/**
 * A worker that cannot open what others sealed would judge every trial incomparable, and keep it from
 * those who can.
 *
 * @throws {TwintrackError} `KEY_UNKNOWN`, or what keeps it from the database.
 */
async function requireKey(config: ResolvedConfig): Promise<void> {
  const db = await openDatabase(config);
  try {
    for (const flow of Object.keys(config.flows)) {
      const sealed = await newestPayload(db, flow);
      if (sealed) privacyOf(config).vault.open(sealed.payload, runPlace(sealed.id, sealed.side));
    }
  } finally {
    await db.close();
  }
}

/** Ends on the first signal, in order; a second one does not wait. */
function onStop(what: string, end: () => Promise<void>): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(EXIT.interrupted);
    stopping = true;
    process.stderr.write(`${signal}: ${what}\n`);
    void end().finally(() => process.exit(EXIT.ok));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

/** A database that is slow to open may be migrating; answers do not wait for the end of that. */
const PATIENCE_MS = 15_000;

/**
 * A database that is away is no reason not to answer; one that belongs to another process, or to
 * another version, is.
 */
async function refuseToShare(harness: Harness): Promise<string[]> {
  try {
    // Whatever people have set while no server ran holds from the first trigger on.
    const db = await Promise.race([
      harness.database(),
      pause(PATIENCE_MS, undefined, { ref: false }),
    ]);
    if (!db) return [`The database is not open after ${PATIENCE_MS / 1_000} s; ${GOES_ON}`];
    await Promise.all([harness.stages.refresh(db), harness.keys.refresh(db)]);
    await noteConfig(db, harness.config, currentUser());
    return [];
  } catch (error) {
    if (isTwintrackError(error) && error.code === "STORE_UNAVAILABLE") {
      return [`${error.message}; ${GOES_ON}`];
    }
    await harness.close();
    throw error;
  }
}

const GOES_ON = "answering goes on, records wait in the spool";

async function migrateStore(cli: Cli, what: string | undefined) {
  if (what !== undefined && what !== "status")
    throw new TwintrackError("USAGE", `There is no migrate ${what}`, {
      hint: "twintrack migrate, or twintrack migrate status",
    });
  const config = await loadConfig(cli.options().config);
  const open = what === "status" ? connectDatabase : openDatabase; // Opening migrates.
  const db = await open(config);
  try {
    const status = await migrationStatus(db);
    const text = `${db.kind}: migrations ${status.applied.length} applied, ${status.pending.length} pending`;
    return {
      reply: {
        command: what === "status" ? "migrate-status" : "migrate",
        exitCode: EXIT.ok,
        data: { ...status },
      },
      text,
    };
  } finally {
    await db.close();
  }
}
