/** `twintrack rules propose`: what is noise, with the rule to paste. It changes nothing. */
import type { JsonValue } from "../../core/json.ts";
import { type PathNoise, proposeRules } from "../compare/propose.ts";
import { percent } from "../report/percent.ts";
import { sightingsOf } from "../store/sightings.ts";
import type { StoreCommand } from "./commands.ts";
import { onStore } from "./desk.ts";
import type { Cli } from "./main.ts";
import { EXIT, textOf } from "./reply.ts";

export function addRulesCommand(cli: Cli): void {
  const rules = cli.program.command("rules").description("rules that say what is no difference");
  rules
    .command("propose <flow>")
    .description("which paths are noise, by comparing legacy with itself; changes nothing")
    .addHelpText("after", "\nExample:\n  twintrack rules propose refunds")
    .action((flow: string) =>
      cli.run(() => onStore(cli, "rules propose", { flow }, proposalsText)),
    );
}

export interface Proposals {
  flow: string;
  /** Trials in which legacy was compared with candidate and with itself. */
  trials: number;
  paths: PathNoise[];
}

export const RULES_COMMANDS: Record<string, StoreCommand> = {
  async "rules propose"({ db, sides }, args) {
    const flow = textOf(args, "flow");
    const { noise } = sides.configOf(flow);
    const { trials, sightings } = await sightingsOf(db, flow);
    const paths = proposeRules(trials, sightings);
    const measured = (noise?.sample ?? 0) > 0;
    return {
      command: "rules-propose",
      exitCode: EXIT.ok,
      data: { flow, trials, paths } as unknown as JsonValue,
      warnings: measured
        ? []
        : [`flows.${flow}.noise.sample is not set: legacy is never compared with itself`],
      next: paths.some(({ proposal }) => proposal.kind === "rule")
        ? [`twintrack rejudge ${flow}`]
        : [],
    };
  },
};

export function proposalsText({ flow, trials, paths }: Proposals): string {
  const head = `${flow}: ${trials} trials in which legacy ran twice`;
  if (paths.length === 0) return `${head}; it never differed from itself`;
  return [head, ...paths.map(pathText)].join("\n\n");
}

function pathText({ path, noise, candidate, excess, proposal }: PathNoise): string {
  const rate = ({ rate: share, lower, upper }: PathNoise["noise"]) =>
    `${percent(share)} (${percent(lower)}–${percent(upper)})`;
  const facts = `${path === "" ? "(whole answer)" : path}  legacy with itself ${rate(noise)}, with candidate ${rate(candidate)}; at most ${percent(excess)} more often`;
  return proposal.kind === "rule"
    ? `${facts}\n  ${JSON.stringify(proposal.rule)}`
    : `${facts}\n  no rule: ${proposal.why}`;
}
