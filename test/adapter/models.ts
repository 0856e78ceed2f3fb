/** Chat models that answer by a rule, with everything that hosted ones have: parameters, usage, private fields. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import { BaseChatModel, type BindToolsInput } from "@langchain/core/language_models/chat_models";
import { LLM } from "@langchain/core/language_models/llms";
import { AIMessage, AIMessageChunk, type BaseMessage, ToolMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import { convertToOpenAITool } from "@langchain/core/utils/function_calling";

/** Calls its first tool once, then says what the tool said. */
export class RuleModel extends BaseChatModel {
  /** A copy of the object could not reach it. */
  #asked = 0;
  readonly model: string;
  readonly temperature: number;
  readonly apiKey = "sk-secret";

  constructor({ model = "rule-1", temperature = 0.5 } = {}) {
    super({});
    this.model = model;
    this.temperature = temperature;
  }

  get asked(): number {
    return this.#asked;
  }

  override _llmType(): string {
    return "rule";
  }

  override invocationParams(options: { tools?: BindToolsInput[]; stop?: string[] }): object {
    return {
      model: this.model,
      temperature: this.temperature,
      max_tokens: 64,
      stop: options.stop,
      stream: false,
      api_key: this.apiKey,
      ...(options.tools && {
        tools: options.tools.map((one) => convertToOpenAITool(one as never)),
      }),
    };
  }

  override bindTools(tools: BindToolsInput[]): Runnable<BaseLanguageModelInput, AIMessageChunk> {
    return this.withConfig({ tools } as never);
  }

  override async _generate(messages: BaseMessage[], options: object): Promise<ChatResult> {
    this.#asked += 1;
    const message = this.#answer(messages, options);
    return {
      generations: [{ text: message.text, message }],
      llmOutput: { model_name: this.model },
    };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: object,
    runManager?: { handleLLMNewToken(text: string): Promise<void> },
  ): AsyncGenerator<ChatGenerationChunk> {
    this.#asked += 1;
    const { text, tool_calls = [] } = this.#answer(messages, options);
    for (const word of text.split(/(?<= )/)) {
      if (word === "") continue;
      await new Promise((resolve) => setImmediate(resolve));
      yield new ChatGenerationChunk({ text: word, message: new AIMessageChunk(word) });
      await runManager?.handleLLMNewToken(word);
    }
    const tool_call_chunks = tool_calls.map(({ name, args, id }, index) => ({
      name,
      args: JSON.stringify(args),
      index,
      ...(id === undefined ? {} : { id }),
      type: "tool_call_chunk" as const,
    }));
    const usage_metadata = {
      input_tokens: messages.length,
      output_tokens: 2,
      total_tokens: messages.length + 2,
    };
    const message = new AIMessageChunk({ content: "", tool_call_chunks });
    Object.assign(message, { usage_metadata });
    yield new ChatGenerationChunk({ text: "", message, generationInfo: { finish_reason: "stop" } });
  }

  #answer(messages: BaseMessage[], options: object): AIMessage {
    const last = messages.at(-1) as BaseMessage;
    if (last.text.includes("fail")) throw new RangeError("the model is overloaded");
    const { tools = [] } = options as { tools?: { name: string }[] };
    const usage_metadata = {
      input_tokens: messages.length,
      output_tokens: 2,
      total_tokens: messages.length + 2,
    };
    const response_metadata = { finish_reason: tools.length > 0 ? "tool_calls" : "stop" };
    const [tool] = tools;
    if (tool && !ToolMessage.isInstance(last)) {
      const call = {
        name: tool.name,
        args: { text: last.text },
        id: `call_${crypto.randomUUID()}`,
      };
      const calling = new AIMessage({ content: "", tool_calls: [call], response_metadata });
      return Object.assign(calling, { usage_metadata });
    }
    const saying = new AIMessage({ content: `I say ${last.text}`, response_metadata });
    return Object.assign(saying, { usage_metadata });
  }
}

/** An older model: text in, text out. */
export class EchoLlm extends LLM {
  asked = 0;

  override _llmType(): string {
    return "echo";
  }

  override async _call(prompt: string): Promise<string> {
    this.asked += 1;
    return `echo ${prompt}`;
  }
}
