/** Why trials came to no comparison, or only their candidate failed, and what mends it where that is known. */

export const UNCOMPARED = ["incomparable", "not_run"] as const;
export const FAILED = ["candidate_error", "candidate_timeout"] as const;

/** Trials that ended alike: texts that differ in numbers and digests only are one. */
export interface Cause {
  verdict: (typeof UNCOMPARED)[number] | (typeof FAILED)[number];
  /** As it is kept, masked: a word, an error's name and message, or what a process said last. */
  reason: string;
  trials: number;
}

/** The first that fits. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /outside of a tool|EGRESS_?REFUSED/i,
    'make it a tool, or allow it to shadow runs: egress: { hosts: ["host:port"], files, commands }',
  ],
  [
    /^memory_unrecorded/,
    'shadow: { reads: "live" } lets legacy read its real memory, which does not know what the candidate answered',
  ],
  [
    /READ_UNRECORDED|was not called with these arguments/,
    'shadow: { reads: "live" } or { reads: { snapshot } }; where it is the call of another name, tell the sources apart with flows.<name>.tools',
  ],
  [
    /made with other arguments/,
    'where a write may differ, a rule says: compare: { rules: [{ path: "/effects/<tool>/<argument>", ignore: true }] }',
  ],
  [
    /EFFECT_REFUSED|is a write that/,
    'a step that stands for a call of another tool says `legacy: { tool, args }`, for code of legacy `legacy: { inCode }`; a tool that only reads is declared "read" in `effects`',
  ],
  [
    /INPUT_INVALID|Input of flow/,
    "legacy takes what the candidate does not: widen its input, or refuse it for both with flows.<name>.input",
  ],
  [
    /MODEL_UNRECORDED|model.*not.*(asked|record)/i,
    'shadow: { models: "live" } asks the model, within modelCallsPerDay',
  ],
  [
    /^recording_lossy/,
    "let the tool return data, or messages and commands of LangChain as they are",
  ],
  [/^rule_error/, "a rule throws on these values: mend or narrow it, then `twintrack rejudge`"],
  [/^extract failed/, "mend flows.<name>.extract, then `twintrack rejudge`"],
  [/^(oversize|depth|nodes)/, "compare the part that counts: flows.<name>.extract"],
  [
    /^key_unknown/,
    "processes that share a database share TWINTRACK_KEY; an old key goes behind the new one",
  ],
  [
    /^payload_gone/,
    "privacy.rawDays drops payloads before they are judged: start more `twintrack work`",
  ],
  [/^snapshot_failed/, "mend shadow.reads.snapshot; what it asks needs its host in egress.hosts"],
  [
    /expected object, received string/i,
    "the model answered text: its step's output schema has no JSON Schema, or the model ignores it",
  ],
  [
    /^breaker$/,
    "half of the last 20 trials failed: mend what their errors say; the next version starts anew",
  ],
  [/^shed$/, "more was answered than judged: start more `twintrack work`, or raise shadow.maxOpen"],
  [/^paused$/, "`twintrack shadow on` ends the pause (TWINTRACK_SHADOW, shadow.off)"],
  [/^sampled$/, "shadow.sample compares this share only"],
  [/^side_missing$/, "the flow needs both `legacy` and `candidate`"],
  [/PYTHON_UNAVAILABLE|TOOL_MODULE_INVALID/, "`twintrack doctor` says what the module needs"],
];

/** As both guards say it; a host that is masked cannot be pasted. */
const REFUSED_HOST = /tried to (?:connect|send to) ([\w.:[\]-]+) outside of a tool/;

export function remedyOf({ reason }: Pick<Cause, "reason">): string | undefined {
  const host = REFUSED_HOST.exec(reason)?.[1];
  if (host !== undefined)
    return `make it a tool, or allow it to shadow runs: egress: { hosts: ["${host}"] }`;
  return REMEDIES.find(([sign]) => sign.test(reason))?.[1];
}

const HEAD_LENGTH = 40;

/** What begins with a code may go on with all that a process said; why it ended comes last. */
export function gist({ reason }: Pick<Cause, "reason">, length: number): string {
  const line = reason
    .trim()
    .split(/\s*\n\s*/)
    .join(" ");
  if (line.length <= length) return line;
  return `${line.slice(0, HEAD_LENGTH)} … ${line.slice(line.length - (length - HEAD_LENGTH - 3))}`;
}

const GATE_LENGTH = 200;

/** For a sentence of the gate: the most frequent cause of these verdicts; empty when none is known. */
export function mostly(
  causes: readonly Cause[] = [],
  verdicts: readonly Cause["verdict"][],
): string {
  const [most] = causes
    .filter(({ verdict }) => verdicts.includes(verdict))
    .toSorted((left, right) => right.trials - left.trials);
  if (!most) return "";
  const remedy = remedyOf(most);
  return `; mostly ${gist(most, GATE_LENGTH)} (${most.trials})${remedy === undefined ? "" : `: ${remedy}`}`;
}
