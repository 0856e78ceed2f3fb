/**
 * Regular expressions from rule files, restricted so that none can run away.
 *
 * Backtracking explodes when something that may repeat holds something that may vary, and grows by
 * one power of the text length for every further repetition. The first is refused, the second is
 * paid for by a shorter limit on the text.
 */

export interface SafeRegex {
  test(text: string): boolean;
}

/** Steps of the engine that one test may cost, well under 10 ms. */
const MAX_STEPS = 1e7;
const MAX_TEXT = 100_000;
const MAX_PATTERN = 500;

/** @throws {Error} for a pattern that does not parse or may backtrack without bound. */
export function safeRegex(source: string): SafeRegex {
  if (source.length > MAX_PATTERN) throw new Error(`longer than ${MAX_PATTERN} characters`);
  const regex = new RegExp(source, "u");
  const repetitions = new Scan(source).repetitions();
  const powers = repetitions + (source.startsWith("^") ? 0 : 1);
  const limit = powers === 0 ? MAX_TEXT : Math.min(MAX_TEXT, MAX_STEPS ** (1 / powers));
  return { test: (text) => text.length <= limit && regex.test(text) };
}

interface Group {
  /** Repetitions of changing length inside, each worth one power. */
  repetitions: number;
  /** Holds a quantifier of changing length, or an alternative. */
  varies: boolean;
}

const QUANTIFIER = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/;

class Scan {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  repetitions(): number {
    const open: Group[] = [{ repetitions: 0, varies: false }];
    while (this.#at < this.#source.length) {
      const char = this.#source[this.#at];
      const group = open.at(-1) as Group;
      if (char === "(") {
        this.#enter();
        open.push({ repetitions: 0, varies: false });
      } else if (char === ")") {
        this.#at++;
        open.pop();
        this.#close(group, open.at(-1) as Group);
      } else if (char === "|") {
        this.#at++;
        group.varies = true;
      } else {
        this.#atom();
        this.#close({ repetitions: 0, varies: false }, group);
      }
    }
    return (open[0] as Group).repetitions;
  }

  #enter(): void {
    const opening = /^\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/.exec(this.#source.slice(this.#at));
    if (/^\(\?<?[=!]/.test(opening?.[0] ?? "")) throw new Error("lookaround is not allowed");
    this.#at += opening?.[0].length ?? 1;
  }

  #atom(): void {
    const rest = this.#source.slice(this.#at);
    if (/^\\[1-9k]/.test(rest)) throw new Error("backreferences are not allowed");
    const atom = /^(?:\[(?:\\.|[^\]\\])*\]|\\[pPu]\{[^}]*\}|\\.|.)/su.exec(rest);
    this.#at += atom?.[0].length ?? 1;
  }

  /** Reads the quantifier behind an atom or a group and adds both to the enclosing group. */
  #close(inner: Group, outer: Group): void {
    const quantifier = QUANTIFIER.exec(this.#source.slice(this.#at))?.[0] ?? "";
    this.#at += quantifier.length;
    const { least, most } = timesOf(quantifier);
    if (
      most > 1 &&
      inner.varies &&
      (most === Number.POSITIVE_INFINITY || most > least || most > 10)
    ) {
      throw new Error("a repeated group holds a repetition or an alternative, which may never end");
    }
    const own = most > 1 && most !== least ? 1 : 0;
    outer.repetitions += own + inner.repetitions * Math.min(most, 10);
    outer.varies ||= inner.varies || most !== least;
  }
}

function timesOf(quantifier: string): { least: number; most: number } {
  const [sign] = quantifier;
  if (sign === undefined) return { least: 1, most: 1 };
  if (sign === "?") return { least: 0, most: 1 };
  if (sign !== "{") return { least: sign === "+" ? 1 : 0, most: Number.POSITIVE_INFINITY };
  const [least = "0", most] = quantifier.replace(/[{}?]/g, "").split(",");
  if (most === undefined) return { least: +least, most: +least };
  return { least: +least, most: most === "" ? Number.POSITIVE_INFINITY : +most };
}
