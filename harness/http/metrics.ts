/** The Prometheus text format, version 0.0.4. */
import type { Books } from "../store/books.ts";
import type { Status } from "../twintrack.ts";

export function renderMetrics(status: Status, books: Books | undefined): string {
  const lines = [
    ...metric("twintrack_answered_total", "counter", "Triggers answered by this process.", [
      ["", status.answered],
    ]),
    ...metric("twintrack_refused_total", "counter", "Triggers refused before any side ran.", [
      ["", status.refused],
    ]),
    ...metric("twintrack_tapped_total", "counter", "Runs that tracers told this process.", [
      ["", status.tapped],
    ]),
    ...metric("twintrack_database_ready", "gauge", "1 when the database answers.", [
      ["", Number(status.database.ready)],
    ]),
    ...metric("twintrack_spool_degraded", "gauge", "1 while the spool folder refuses writes.", [
      ["", Number(status.spool.problem !== undefined)],
    ]),
    ...metric("twintrack_shadow_paused", "gauge", "1 while the kill switch is on.", [
      ["", Number(status.shadow.paused)],
    ]),
    ...(books ? bookMetrics(books) : []),
  ];
  return `${lines.join("\n")}\n`;
}

function bookMetrics(books: Books): string[] {
  const verdicts = Object.entries(books.verdicts).map(
    ([verdict, count]): Sample => [`{verdict="${verdict}"}`, count],
  );
  return [
    ...metric("twintrack_trials", "gauge", "Trials by verdict.", verdicts),
    ...metric("twintrack_trials_open", "gauge", "Trials that nobody has judged yet.", [
      ["", books.open],
    ]),
    ...metric(
      "twintrack_unexplained",
      "gauge",
      "Answers without a record and without a cause. Above 0 is an alarm.",
      [["", books.unexplained]],
    ),
  ];
}

type Sample = [labels: string, value: number];

function metric(
  name: string,
  type: "counter" | "gauge",
  help: string,
  samples: readonly Sample[],
): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
  ];
}
