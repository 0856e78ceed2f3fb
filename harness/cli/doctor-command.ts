/** `twintrack doctor`: what is wrong with a set-up, and what fixes it. */
import { ERROR_CODES, type ErrorCode } from "../../core/error.ts";
import type { JsonValue } from "../../core/json.ts";
import { loadConfig, resolveConfig } from "../config.ts";
import { examine } from "../doctor.ts";
import type { Finding } from "../finding.ts";
import type { Cli } from "./main.ts";
import { EXIT } from "./reply.ts";
import { sourceOf, type ToolOptions, withSource } from "./tool-commands.ts";

export function addDoctorCommand(cli: Cli): void {
  const command = cli.program
    .command("doctor")
    .description(
      "check versions, environments, imports, contracts and effects, and say how to mend them",
    );
  withSource(command)
    .addHelpText(
      "after",
      "\nExamples:\n  twintrack doctor\n  twintrack doctor --python my_app.tools:TOOLS --interpreter .venv/bin/python",
    )
    .action((options: ToolOptions) => cli.run(() => doctor(cli, options)));
}

async function doctor(cli: Cli, options: ToolOptions) {
  const source = sourceOf(options);
  const config = source
    ? resolveConfig({ tools: { tools: source }, flows: {} })
    : await loadConfig(cli.options().config);
  const findings = await examine(config);
  const count = (status: Finding["status"]) =>
    findings.filter((finding) => finding.status === status).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  return {
    reply: {
      command: "doctor",
      exitCode: exitCodeFor(findings),
      data: { problems, warnings, findings } as unknown as JsonValue,
    },
    text: [...findings.map(described), `${problems} problems, ${warnings} warnings`].join("\n"),
  };
}

/** The first problem's own exit code, which tells a script what kind it is. */
function exitCodeFor(findings: readonly Finding[]): number {
  const first = findings.find(({ status }) => status === "problem");
  if (!first) return EXIT.ok;
  return first.code === undefined ? EXIT.unexpected : ERROR_CODES[first.code as ErrorCode].exitCode;
}

function described({ check, status, detail, fix }: Finding): string {
  const line = `${status.padEnd(7)}  ${check}: ${detail}`;
  return fix === undefined ? line : `${line}\n         fix: ${fix}`;
}
