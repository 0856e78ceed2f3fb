/**
 * Where a store command runs: here, on the database; or in the running server that holds the
 * embedded one. That server leaves its address and a secret in the data folder, readable only by
 * its own user.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isTwintrackError, TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { loadConfig, type ResolvedConfig } from "../config.ts";
import { makeDataFolder } from "../data-folder.ts";
import type { Watch } from "../replay.ts";
import { isAlive, lockHolder } from "../store/lock.ts";
import { embeddedFolder, openDatabase } from "../store/open.ts";
import type { Cli } from "./main.ts";
import type { Reply } from "./reply.ts";

interface ServerNote {
  url: string;
  secret: string;
}

/** One per process: of several servers on one folder only the one that holds the database can help. */
function noteFile({ dataDir }: ResolvedConfig, pid: number): string {
  return join(dataDir, `server-${pid}.json`);
}

/** Tells commands on this machine where the server is. Returns how to take it back. */
export function announceServer(config: ResolvedConfig, note: ServerNote): () => void {
  makeDataFolder(config.dataDir);
  removeStaleNotes(config);
  const file = noteFile(config, process.pid);
  rmSync(file, { force: true });
  writeFileSync(file, JSON.stringify(note), { mode: 0o600 });
  return () => rmSync(file, { force: true });
}

function removeStaleNotes(config: ResolvedConfig): void {
  for (const name of readdirSync(config.dataDir)) {
    const pid = Number(/^server-(\d+)\.json$/.exec(name)?.[1] ?? Number.NaN);
    if (pid > 0 && !isAlive(pid)) rmSync(noteFile(config, pid), { force: true });
  }
}

/** A store command under the configuration that the command line names, and its reply in words. */
export async function onStore<Data>(
  cli: Cli,
  command: string,
  args: JsonObject,
  render: (data: Data) => string,
): Promise<{ reply: Reply; text: string }> {
  const reply = await runStoreCommand(await loadConfig(cli.options().config), command, args);
  return { reply, text: render(reply.data as Data) };
}

export async function runStoreCommand(
  config: ResolvedConfig,
  command: string,
  args: JsonObject,
  watch?: Watch,
): Promise<Reply> {
  // A server announces itself here too, and has them loaded; other commands need none of them.
  const [{ STORE_COMMANDS }, { openSides }] = await Promise.all([
    import("./commands.ts"),
    import("../side.ts"),
  ]);
  const execute = STORE_COMMANDS[command];
  if (!execute) throw new TwintrackError("USAGE", `There is no command "${command}"`);
  const db = await openDatabase(config).catch((error: unknown) => {
    if (isTwintrackError(error) && error.code === "STORE_LOCKED") return error;
    throw error;
  });
  if (db instanceof TwintrackError) return askServer(config, command, args, db);
  const sides = openSides(config);
  try {
    return await execute({ config, db, sides, ...(watch && { watch }) }, args);
  } finally {
    await sides.close();
    await db.close();
  }
}

async function askServer(
  config: ResolvedConfig,
  command: string,
  args: JsonObject,
  locked: TwintrackError,
): Promise<Reply> {
  const note = readNote(config);
  if (!note) throw locked; // Whoever holds the database is not a server.
  const response = await fetch(`${note.url}/api/commands`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${note.secret}` },
    body: JSON.stringify({ command, args }),
  }).catch(() => {
    throw locked;
  });
  const body = (await response.json()) as Reply & { code?: string; detail?: string; hint?: string };
  if (response.ok) return body;
  throw new TwintrackError(
    (body.code ?? "STORE_UNAVAILABLE") as TwintrackError["code"],
    body.detail ?? "",
    body.hint === undefined ? {} : { hint: body.hint },
  );
}

function readNote(config: ResolvedConfig): ServerNote | undefined {
  const holder = lockHolder(embeddedFolder(config));
  if (holder === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(noteFile(config, holder), "utf8")) as ServerNote;
  } catch {
    return undefined;
  }
}
