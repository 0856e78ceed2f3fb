/**
 * Time limits of calls. Hardly one is ever reached, while a timer of Node's for each call costs more
 * than to check its arguments.
 *
 * Limits of one length end in the order in which they began: they share a timer, set for the oldest.
 * A timer for which nobody waits any more is kept for the next call, one of all lengths, and does not
 * keep the process alive. Each limit ends in the context in which it began, as with a timer of its
 * own: what one run permits must not reach another.
 */

import { AsyncResource } from "node:async_hooks";

/** The longest wait a Node timer can count; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Limit {
  dueAt: number;
  context: AsyncResource;
  expire: () => void;
}

/** The limits of one length, the oldest first. */
interface Line {
  durationMs: number;
  waiting: Set<Limit>;
  timer: NodeJS.Timeout;
}

const lines = new Map<number, Line>();
/** The line whose timer runs although nobody waits in it. */
let idle: Line | undefined;

/** Calls `expire` when the time is over, unless the returned function is called before. */
export function startLimit(durationMs: number, expire: () => void): () => void {
  const line = lineOf(Math.min(durationMs, MAX_TIMER_MS));
  const dueAt = performance.now() + line.durationMs;
  const limit = { dueAt, context: new AsyncResource("twintrack.limit"), expire };
  line.waiting.add(limit);
  return () => {
    if (line.waiting.delete(limit) && line.waiting.size === 0) rest(line);
  };
}

function lineOf(durationMs: number): Line {
  const known = lines.get(durationMs) ?? begun(durationMs);
  if (known === idle) {
    idle = undefined;
    known.timer.ref();
  }
  return known;
}

function begun(durationMs: number): Line {
  const timer = setTimeout(() => expireDue(line), durationMs);
  const line: Line = { durationMs, waiting: new Set(), timer };
  lines.set(durationMs, line);
  return line;
}

function rest(line: Line): void {
  if (idle) end(idle);
  idle = line;
  line.timer.unref();
}

function end(line: Line): void {
  clearTimeout(line.timer);
  lines.delete(line.durationMs);
  if (idle === line) idle = undefined;
}

function expireDue(line: Line): void {
  const now = performance.now();
  for (const limit of line.waiting) {
    if (limit.dueAt > now) {
      line.timer = setTimeout(() => expireDue(line), limit.dueAt - now);
      return;
    }
    line.waiting.delete(limit);
    limit.context.runInAsyncScope(limit.expire);
  }
  end(line);
}
