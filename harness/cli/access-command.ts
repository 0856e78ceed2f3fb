/** `keys` and `audit`: who may call, and what was done. */
import type { JsonObject } from "../../core/json.ts";
import type { AuditLine } from "../store/audit.ts";
import type { KeyRow } from "../store/keys.ts";
import { onStore } from "./desk.ts";
import type { Cli } from "./main.ts";
import { currentUser, wholeNumber } from "./option.ts";
import { table } from "./reply.ts";

export function addAccessCommands(cli: Cli): void {
  addKeys(cli);
  addAudit(cli);
}

const MAX_DAYS = 3_650;

function addKeys(cli: Cli): void {
  const keys = cli.program.command("keys").description("API keys of callers and people");
  keys
    .command("add")
    .description("make a key; it is shown once")
    .requiredOption("--role <role>", "viewer, ingest, reviewer, operator or admin")
    .requiredOption("--name <name>", "whose it is")
    .option("--days <days>", "until it expires; default: never")
    .option("--who <name>", "who makes it", currentUser())
    .addHelpText(
      "after",
      "\nExample:\n  twintrack keys add --role ingest --name checkout --days 90",
    )
    .action((options: { role: string; name: string; days?: string; who: string }) =>
      cli.run(() => {
        const { days, ...rest } = options;
        const args =
          days === undefined ? rest : { ...rest, days: wholeNumber("--days", days, MAX_DAYS) };
        return onStore(cli, "keys add", args, ({ key }: JsonObject) => `${String(key)}`);
      }),
    );
  keys
    .command("list")
    .description("keys by id, with role, expiry and last use")
    .addHelpText("after", "\nExample:\n  twintrack keys list")
    .action(() => cli.run(() => onStore(cli, "keys list", {}, renderKeys)));
  keys
    .command("revoke <id>")
    .description("end a key at once")
    .option("--who <name>", "who ends it", currentUser())
    .addHelpText("after", "\nExample:\n  twintrack keys revoke 0123456789ab")
    .action((id: string, { who }: { who: string }) =>
      cli.run(() => onStore(cli, "keys revoke", { id, who }, () => `revoked ${id}`)),
    );
}

function addAudit(cli: Cli): void {
  const audit = cli.program.command("audit").description("what was done, in a chain of hashes");
  audit
    .command("log")
    .description("the newest entries")
    .option("--limit <n>", "how many", "20")
    .addHelpText("after", "\nExample:\n  twintrack audit log --limit 50")
    .action(({ limit }: { limit: string }) =>
      cli.run(() =>
        onStore(cli, "audit log", { limit: wholeNumber("--limit", limit, 1_000) }, renderLog),
      ),
    );
  audit
    .command("verify")
    .description("check the whole chain; exit 3 and the first broken entry when it does not hold")
    .option("--head <checkpoint>", "what `audit head` printed earlier: finds a cut tail, too")
    .addHelpText("after", "\nExample:\n  twintrack audit verify --head 12:9f86d0…")
    .action(({ head }: { head?: string }) =>
      cli.run(() =>
        onStore(cli, "audit verify", head === undefined ? {} : { head }, renderVerification),
      ),
    );
  audit
    .command("head")
    .description("a checkpoint, to be kept where the database is not")
    .addHelpText("after", "\nExample:\n  twintrack audit head >> /mnt/elsewhere/audit-heads")
    .action(() =>
      cli.run(() =>
        onStore(cli, "audit head", {}, ({ checkpoint }: JsonObject) => String(checkpoint)),
      ),
    );
}

function renderKeys(data: JsonObject): string {
  const keys = data.keys as unknown as KeyRow[];
  const rows = keys.map(({ id, name, role, expiresAt, revokedAt, lastUsedAt }) => [
    ...[id, role, revokedAt === null ? (expiresAt ?? "never") : `revoked ${revokedAt}`],
    ...[lastUsedAt ?? "-", name],
  ]);
  return table([["id", "role", "ends", "last use", "name"], ...rows]);
}

function renderLog(data: JsonObject): string {
  const entries = data.entries as unknown as AuditLine[];
  const rows = entries.map(({ seq, at, event, who, about }) => [
    String(seq),
    at,
    event,
    who,
    JSON.stringify(about),
  ]);
  return table([["seq", "at", "event", "who", "about"], ...rows]);
}

function renderVerification(data: JsonObject): string {
  if (data.intact === true) return `intact: ${String(data.entries)} entries`;
  return `BROKEN at ${String(data.brokenSeq)}: ${String(data.reason)}`;
}
