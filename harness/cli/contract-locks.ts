/**
 * The lock files of contracts: committed, and compared with what the tools say today.
 *
 * A lock may hold an output schema that was learned from recorded runs. It belongs to the file and
 * not to the contract: it is a guess that warns, and callers are never promised it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Change, driftBetween, type Schemas } from "../../adapter/drift.ts";
import type { Contract } from "../../adapter/tool-server.ts";
import { messageOf } from "../../core/error.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { EXIT, type Reply } from "./reply.ts";

export interface LockOptions {
  write?: boolean;
  /** Folder of the lock files. */
  dir: string;
}

/** A contract under the name its tool is called by. */
export interface NamedContract {
  name: string;
  contract: Contract;
  /** From recorded runs, for a tool that declares no output. */
  learned?: JsonObject | undefined;
}

interface Lock extends Schemas {
  contractHash: string;
  learnedOutputSchema?: JsonObject | undefined;
}

/** What is wrong with one lock file. */
type Drift =
  | { file: string; drift: "breaking" | "additive"; changes: Change[] }
  | { file: string; drift: "unlocked" | "gone" | "unreadable"; reason: string };

/** Writes the lock files, or says what has changed since: exit 3 on drift. */
export function lockContracts(
  contracts: readonly NamedContract[],
  { write, dir }: LockOptions,
): { reply: Reply; text: string } {
  return write ? writeLocks(contracts, dir) : checkLocks(contracts, dir);
}

/** The output schema that was learned for a tool, if there is a lock file with one. */
export function learnedOutput(name: string, dir: string): JsonObject | undefined {
  const lock = readLock(fileOf(name, dir));
  return "contractHash" in lock ? lock.learnedOutputSchema : undefined;
}

function fileOf(name: string, dir: string): string {
  return join(dir, `${name}.json`);
}

function writeLocks(contracts: readonly NamedContract[], dir: string) {
  mkdirSync(dir, { recursive: true });
  const written = contracts.map(({ name, contract, learned }) => {
    const { inputSchema, outputSchema, contractHash } = contract;
    const learnedOutputSchema = outputSchema ? undefined : (learned ?? learnedOutput(name, dir));
    const lock = { name, contractHash, inputSchema, outputSchema, learnedOutputSchema };
    const file = fileOf(name, dir);
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
    return { file, learned: learnedOutputSchema !== undefined };
  });
  const learned = written.filter((one) => one.learned).length;
  const note = learned > 0 ? `, ${learned} with a learned output schema` : "";
  return {
    reply: {
      command: "tools-contracts",
      exitCode: EXIT.ok,
      data: { written: written.map(({ file }) => file), learned },
    },
    text: `wrote ${written.length} contracts to ${dir}${note}`,
  };
}

function checkLocks(contracts: readonly NamedContract[], dir: string) {
  const drift = [
    ...contracts.flatMap(({ name, contract }) => driftOf(fileOf(name, dir), contract)),
    ...goneFrom(dir, new Set(contracts.map(({ name }) => fileOf(name, dir)))),
  ];
  const reply: Reply = {
    command: "tools-contracts",
    exitCode: drift.length === 0 ? EXIT.ok : EXIT.divergence,
    data: { drift } as unknown as JsonValue,
    next: drift.length === 0 ? [] : ["twintrack tools contracts --write"],
  };
  return { reply, text: drift.map(described).join("\n") || `${contracts.length} contracts match` };
}

function driftOf(file: string, contract: Contract): Drift[] {
  const lock = readLock(file);
  if (!("contractHash" in lock)) return [{ file, ...lock }];
  if (lock.contractHash === contract.contractHash) return [];
  const changes = driftBetween(lock, contract);
  if (changes.length === 0)
    return [{ file, drift: "unreadable", reason: "its contractHash does not fit its schemas" }];
  const breaks = changes.some(({ drift }) => drift === "breaking");
  return [{ file, drift: breaks ? "breaking" : "additive", changes }];
}

/** Lock files whose tool is not there any more. */
function goneFrom(dir: string, known: ReadonlySet<string>): Drift[] {
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir).filter((name) => name.endsWith(".json"));
  return files
    .map((name) => join(dir, name))
    .filter((file) => !known.has(file))
    .map((file) => ({ file, drift: "gone", reason: "no tool has this name any more" }));
}

function readLock(file: string): Lock | { drift: "unlocked" | "unreadable"; reason: string } {
  if (!existsSync(file)) return { drift: "unlocked", reason: "no lock file" };
  try {
    const lock = JSON.parse(readFileSync(file, "utf8")) as unknown;
    if (isJsonObject(lock) && isJsonObject(lock.inputSchema)) return lock as unknown as Lock;
    return { drift: "unreadable", reason: "holds no inputSchema" };
  } catch (error) {
    return { drift: "unreadable", reason: messageOf(error) };
  }
}

function described(drift: Drift): string {
  if ("reason" in drift) return `${drift.file}: ${drift.drift}: ${drift.reason}`;
  const changes = drift.changes.map((one) => `  ${one.drift}: ${one.at} ${one.what}`);
  return [`${drift.file}: ${drift.drift}`, ...changes].join("\n");
}
