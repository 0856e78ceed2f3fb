/** Store commands about who may do what, and about what was done. */
import { TwintrackError } from "../../core/error.ts";
import type { JsonObject, JsonValue } from "../../core/json.ts";
import { ROLES, type Role } from "../access/role.ts";
import type { Head } from "../audit/chain.ts";
import { auditHead, auditLines, verifyAudit } from "../store/audit.ts";
import { addKey, listKeys, revokeKey } from "../store/keys.ts";
import type { StoreCommand } from "./commands.ts";
import { EXIT, textOf } from "./reply.ts";

/** @throws {TwintrackError} `USAGE` */
function roleIn(args: JsonObject): Role {
  const role = ROLES.find((one) => one === args.role);
  if (role) return role;
  throw new TwintrackError("USAGE", `--role ${String(args.role)} is no role`, {
    hint: `One of ${ROLES.join(", ")}.`,
  });
}

const DAY_MS = 86_400_000;

function expiryIn({ days }: JsonObject): string | null {
  return typeof days === "number" ? new Date(Date.now() + days * DAY_MS).toISOString() : null;
}

/** `<seq>:<hash>`, as `audit head` prints it. @throws {TwintrackError} `USAGE` */
function headIn({ head }: JsonObject): Head | undefined {
  if (typeof head !== "string") return undefined;
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(head) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new TwintrackError("USAGE", `--head ${head} is no checkpoint`, {
    hint: "It is what twintrack audit head printed, like 12:9f86d0….",
  });
}

const MAX_LINES = 1_000;

export const ACCESS_COMMANDS: Record<string, StoreCommand> = {
  async "keys add"({ db }, args) {
    const role = roleIn(args);
    const name = textOf(args, "name");
    const expiresAt = expiryIn(args);
    const made = await addKey(db, { name, role, expiresAt, who: textOf(args, "who") });
    return {
      command: "keys-add",
      exitCode: EXIT.ok,
      data: { ...made, name, role, expiresAt },
      warnings: ["The key is shown once and kept nowhere. Callers need a key from now on."],
    };
  },

  async "keys list"({ db }) {
    const keys = await listKeys(db);
    return { command: "keys-list", exitCode: EXIT.ok, data: { keys } as unknown as JsonValue };
  },

  async "keys revoke"({ db }, args) {
    const id = textOf(args, "id");
    if (!(await revokeKey(db, id, textOf(args, "who")))) {
      throw new TwintrackError("USAGE", `There is no active key ${id}`, {
        hint: "twintrack keys list",
      });
    }
    return { command: "keys-revoke", exitCode: EXIT.ok, data: { id } };
  },

  async "audit log"({ db }, args) {
    const limit = typeof args.limit === "number" ? Math.min(args.limit, MAX_LINES) : 20;
    const entries = await auditLines(db, limit);
    return { command: "audit", exitCode: EXIT.ok, data: { entries } as unknown as JsonValue };
  },

  async "audit verify"({ db }, args) {
    const verification = await verifyAudit(db.query, headIn(args));
    return {
      command: "audit-verify",
      exitCode: verification.intact ? EXIT.ok : EXIT.divergence,
      data: { ...verification } as unknown as JsonValue,
    };
  },

  async "audit head"({ db }) {
    const head = await auditHead(db.query);
    const data = { ...head, checkpoint: `${head.seq}:${head.hash}` };
    return { command: "audit-head", exitCode: EXIT.ok, data };
  },
};
