/**
 * The answer of a LangChain agent, whatever form it comes in.
 *
 * Agents return their whole conversation, an object with `output`, or a structured response beside
 * the messages; and where one gives up after too many steps, another says so in its answer and a
 * third throws. Messages are read as JavaScript serialises them (`lc`, `kwargs`) and as Python and
 * LangServe do (`type`, `content`).
 */
import { isJsonObject, type JsonValue } from "../../core/json.ts";
import type { Outcome } from "../../core/outcome.ts";

/** What a candidate throws to be compared equal with an agent that gave up. */
const GAVE_UP: Outcome = {
  status: "threw",
  error: { name: "IterationLimit", message: "The agent reached its limit of steps" },
};

/**
 * How agents say it. Sources: `AgentExecutor` of langchain-classic (Python) and @langchain/classic,
 * `create_react_agent` of langgraph.
 */
const GAVE_UP_TEXTS = [
  "Agent stopped due to iteration limit or time limit.",
  "Agent stopped due to max iterations.",
  "Sorry, need more steps to process this request.",
];

/** The answer alone, as an outcome that can be compared with another implementation's. */
export function agentAnswer(outcome: Outcome): Outcome {
  if (outcome.status === "threw" && outcome.error.name === "GraphRecursionError") return GAVE_UP;
  if (outcome.status !== "returned") return outcome;
  const value = answerIn(outcome.value);
  const gaveUp = typeof value === "string" && GAVE_UP_TEXTS.includes(value);
  return gaveUp ? GAVE_UP : { status: "returned", value };
}

function answerIn(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return textIn(value.at(-1)) ?? value;
  if (!isJsonObject(value)) return value;
  const structured = value.structuredResponse ?? value.structured_response ?? null;
  if (structured !== null) return structured;
  const text = textIn(value);
  if (text !== undefined) return text;
  if (Array.isArray(value.messages)) return answerIn(value.messages);
  return value.output === undefined ? value : answerIn(value.output);
}

/** The text of a message: of all its text blocks, because no other kind is read. */
function textIn(value: JsonValue | undefined): string | undefined {
  if (!isJsonObject(value)) return undefined;
  const named = typeof value.type === "string" || typeof value.role === "string";
  const fields = value.lc === 1 && isJsonObject(value.kwargs) ? value.kwargs : value;
  const { content } = fields;
  if (!named) return undefined;
  if (typeof content === "string") return content;
  return Array.isArray(content) ? content.map(blockText).join("") : undefined;
}

function blockText(block: JsonValue): string {
  if (typeof block === "string") return block;
  return isJsonObject(block) && typeof block.text === "string" ? block.text : "";
}
