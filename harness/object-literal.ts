/**
 * Object literals in JavaScript or TypeScript text: where each property begins and ends. Enough of the language
 * for a configuration file; what is not understood is not found, and nothing is guessed.
 */

export interface Property {
  /** Undefined for a spread and for a computed name. */
  name: string | undefined;
  start: number;
  /** Of the value; equal to `start` where there is none of its own. */
  valueStart: number;
  /** After the value, before the comma. */
  end: number;
}

/** The properties of the literal that opens at `open`; undefined when it is no object literal. */
export function propertiesOf(text: string, open: number): Property[] | undefined {
  const properties: Property[] = [];
  let at = skipBlank(text, open + 1);
  while (text[at] !== "}") {
    const property = propertyAt(text, at);
    if (!property) return undefined;
    properties.push(property);
    at = skipBlank(text, property.end);
    if (text[at] === ",") at = skipBlank(text, at + 1);
    else if (text[at] !== "}") return undefined;
  }
  return properties;
}

const NAME = /(?:[A-Za-z_$][\w$]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/y;

function propertyAt(text: string, start: number): Property | undefined {
  const end = endOfExpression(text, start);
  if (end === undefined) return undefined;
  if (text.startsWith("...", start) || text[start] === "[") {
    return { name: undefined, start, valueStart: start, end };
  }
  NAME.lastIndex = start;
  const [word] = NAME.exec(text) ?? [];
  if (word === undefined) return undefined;
  const name = /^["']/.test(word) ? word.slice(1, -1) : word;
  const colon = skipBlank(text, start + word.length);
  if (text[colon] === ":") return { name, start, valueStart: skipBlank(text, colon + 1), end };
  // Anything else is not understood: half of a generic's arguments, an accessor.
  return /[,}(]/.test(text[colon] ?? "") ? { name, start, valueStart: start, end } : undefined;
}

/** Where an expression ends: at a comma or a closing bracket that is not its own. */
function endOfExpression(text: string, start: number): number | undefined {
  let end = start;
  for (let at = start; at < text.length; ) {
    const char = text[at] ?? "";
    if (char === "," || char === "}" || char === ")" || char === "]") return end;
    const next = skipLexeme(text, at);
    if (next === undefined) return undefined;
    if (!isBlank(text, at)) end = next;
    at = next;
  }
  return undefined;
}

const CLOSING: Record<string, string> = { "{": "}", "(": ")", "[": "]" };

/** One character, or all of a string, comment, regular expression or bracket that begins here. */
export function skipLexeme(text: string, at: number): number | undefined {
  const char = text[at] ?? "";
  if (char === '"' || char === "'") return afterString(text, at, char);
  if (char === "`") return afterTemplate(text, at);
  if (isBlank(text, at)) return Math.max(at + 1, skipBlank(text, at));
  if (char === "/" && startsRegex(text, at)) return afterRegex(text, at);
  const closing = CLOSING[char];
  if (closing === undefined) return at + 1;
  for (let inner = at + 1; inner < text.length; ) {
    if (text[inner] === closing) return inner + 1;
    if (/[})\]]/.test(text[inner] ?? "")) return undefined;
    const next = skipLexeme(text, inner);
    if (next === undefined) return undefined;
    inner = next;
  }
  return undefined;
}

function isBlank(text: string, at: number): boolean {
  return /\s/.test(text[at] ?? "") || text.startsWith("//", at) || text.startsWith("/*", at);
}

/** Past white space and comments. */
export function skipBlank(text: string, from: number): number {
  const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  blank.lastIndex = from;
  blank.exec(text);
  return Math.max(from, blank.lastIndex);
}

function afterString(text: string, at: number, quote: string): number | undefined {
  for (let index = at + 1; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === quote) return index + 1;
    else if (text[index] === "\n") return undefined;
  }
  return undefined;
}

function afterTemplate(text: string, at: number): number | undefined {
  for (let index = at + 1; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === "`") return index + 1;
    else if (text.startsWith("${", index)) {
      const end = skipLexeme(text, index + 1);
      if (end === undefined) return undefined;
      index = end - 1;
    }
  }
  return undefined;
}

/** A slash after a value divides; anywhere else it begins a regular expression. */
function startsRegex(text: string, at: number): boolean {
  return !/[\w$)\]}"'`]\s*$/.test(text.slice(Math.max(0, at - 80), at));
}

function afterRegex(text: string, at: number): number | undefined {
  let inClass = false;
  for (let index = at + 1; index < text.length && text[index] !== "\n"; index++) {
    if (text[index] === "\\") index++;
    else if (text[index] === "[") inClass = true;
    else if (text[index] === "]") inClass = false;
    else if (text[index] === "/" && !inClass) return index + 1;
  }
  return undefined;
}
