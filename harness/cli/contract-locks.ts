/** The lock files of contracts: committed, and compared with what the tools say today. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contract } from "../../adapter/tool-server.ts";
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
}

interface Lock {
  file: string;
  contractHash: string;
  text: string;
}

/** Writes the lock files, or says which differ: exit 3 on drift. */
export function lockContracts(
  contracts: readonly NamedContract[],
  { write, dir }: LockOptions,
): { reply: Reply; text: string } {
  const locks = contracts.map((one) => lockOf(one, dir));
  return write ? writeLocks(locks, dir) : checkLocks(locks);
}

function lockOf({ name, contract }: NamedContract, dir: string): Lock {
  const { inputSchema, outputSchema, contractHash } = contract;
  const content = { name, contractHash, inputSchema, outputSchema };
  return {
    file: join(dir, `${name}.json`),
    contractHash,
    text: `${JSON.stringify(content, null, 2)}\n`,
  };
}

function writeLocks(locks: readonly Lock[], dir: string): { reply: Reply; text: string } {
  mkdirSync(dir, { recursive: true });
  for (const { file, text } of locks) writeFileSync(file, text);
  const data = { written: locks.map(({ file }) => file) };
  return {
    reply: { command: "tools-contracts", exitCode: EXIT.ok, data },
    text: `wrote ${locks.length} contracts to ${dir}`,
  };
}

function checkLocks(locks: readonly Lock[]): { reply: Reply; text: string } {
  const drift = locks.flatMap((lock) => driftOf(lock));
  const reply = {
    command: "tools-contracts",
    exitCode: drift.length === 0 ? EXIT.ok : EXIT.divergence,
    data: { drift },
    next: drift.length === 0 ? [] : ["twintrack tools contracts --write"],
  };
  const lines = drift.map(({ file, problem }) => `${file}: ${problem}`);
  return { reply, text: lines.join("\n") || `${locks.length} contracts match` };
}

function driftOf({ file, contractHash }: Lock): { file: string; problem: string }[] {
  if (!existsSync(file)) return [{ file, problem: "no lock file" }];
  const locked = readLock(file);
  if (!locked) return [{ file, problem: "is not JSON" }];
  return locked.contractHash === contractHash
    ? []
    : [{ file, problem: `locked ${String(locked.contractHash)}, now ${contractHash}` }];
}

function readLock(file: string): { contractHash?: unknown } | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as { contractHash?: unknown };
  } catch {
    return undefined;
  }
}
