/** `export` and `purge`: what is kept of a flow or a person, and the end of it. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, TwintrackError } from "../../core/error.ts";
import type { JsonObject } from "../../core/json.ts";
import { loadConfig } from "../config.ts";
import { onStore, runStoreCommand } from "./desk.ts";
import type { Cli } from "./main.ts";
import { currentUser } from "./option.ts";
import { EXIT, type Reply } from "./reply.ts";

interface ExportOptions {
  subject?: string;
  out: string;
  raw?: boolean;
  who: string;
}

export function addSubjectCommands(cli: Cli): void {
  cli.program
    .command("export <flow>")
    .description("trials as lines of JSON, masked; recorded in the audit")
    .option("--subject <whom>", "only of this person, as the flow's `subject` names people")
    .option("--out <folder>", "write <flow>.ndjson there; - is standard output", "-")
    .option("--raw", "unmasked")
    .option("--who <name>", "who exports", currentUser())
    .addHelpText(
      "after",
      "\nExample:\n  twintrack export refunds --subject ann@mail.example --out exports",
    )
    .action((flow: string, options: ExportOptions) =>
      cli.run(() => exportFlow(cli, flow, options)),
    );
  cli.program
    .command("purge")
    .description("delete what is kept of a person; only counts without --yes")
    .requiredOption("--subject <whom>", "as the flows' `subject` names people")
    .option("--flow <flow>", "only in this flow")
    .option("--yes", "do it")
    .option("--who <name>", "who purges", currentUser())
    .addHelpText("after", "\nExample:\n  twintrack purge --subject ann@mail.example --yes")
    .action((options: JsonObject) => cli.run(() => purgeSubject(cli, options)));
}

async function exportFlow(cli: Cli, flow: string, { out, raw, subject, who }: ExportOptions) {
  const config = await loadConfig(cli.options().config);
  const file = out === "-" ? undefined : openFile(out, flow);
  const printed: string[] = [];
  let trials = 0;
  for (let after = ""; ; ) {
    const args = { flow, who, after, ...(subject === undefined ? {} : { subject }) };
    const reply = await runStoreCommand(config, raw ? "export raw" : "export", args);
    const { lines } = reply.data as unknown as { lines: (JsonObject & { trial: string })[] };
    const texts = lines.map((line) => JSON.stringify(line));
    if (file === undefined) printed.push(...texts);
    else if (texts.length > 0) appendFileSync(file, `${texts.join("\n")}\n`);
    trials += lines.length;
    const last = lines.at(-1);
    if (!last) break;
    after = last.trial;
  }
  const data = file === undefined ? { trials, lines: printed } : { trials, file };
  const reply: Reply = { command: "export", exitCode: EXIT.ok, data };
  return { reply, text: file === undefined ? printed.join("\n") : `${trials} trials in ${file}` };
}

/** Only its owner may read it. @throws {TwintrackError} `USAGE` naming the file. */
function openFile(folder: string, flow: string): string {
  const file = join(folder, `${flow}.ndjson`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, "", { mode: 0o600 });
    return file;
  } catch (cause) {
    throw new TwintrackError("USAGE", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}

function purgeSubject(cli: Cli, options: JsonObject) {
  return onStore(cli, "purge", options, (data: JsonObject) => {
    const { trials, runs, differences, purged } = data;
    const what = `${String(trials)} trials with ${String(runs)} runs and ${String(differences)} differences`;
    return `${purged === true ? "purged" : "would purge"}: ${what}`;
  });
}
