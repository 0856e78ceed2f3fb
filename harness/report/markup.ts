/** HTML that is safe by construction: every value put into a template is escaped, except markup. */

/** Text that is HTML already; only {@link markup} and {@link trusted} make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

type Content = string | number | null | undefined | false | Markup | readonly Content[];

/** Template tag; lists are joined, and `null`, `undefined` and `false` print nothing. */
export function markup(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(strings.reduce((text, part, index) => text + part + print(values[index]), ""));
}

/** Our own style and script, never a text from a report. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

function print(value: Content): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(print).join("");
  return escapeHtml(String(value));
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
      // Characters that reorder or hide text are shown by number, so that nothing can pose as
      // something else. A zero-width joiner is left alone: emoji are made with it.
      .replace(/(?![\n\r\t\u200d])[\p{Cc}\p{Cf}]/gu, visible)
  );
}

function visible(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** JSON that cannot end its script element or break a line of JavaScript. */
export function jsonScript(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029");
}
