"""Models that answer by a rule, with everything that hosted ones have, and chains around them."""

import asyncio
import json
import uuid
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.llms import LLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt

with warnings.catch_warnings():
    # It imports langchain-community, which announces its end.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_classic.agents import AgentExecutor, create_tool_calling_agent

ASKED: list[str] = []


class RuleModel(BaseChatModel):
    """Calls its first tool once, then says what the tool said."""

    model: str = "rule-1"
    temperature: float = 0.5
    api_key: str = "sk-secret"

    @property
    def _llm_type(self) -> str:
        return "rule"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": 64,
            "api_key": self.api_key,
        }

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools], **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        ASKED.append(messages[-1].text)
        message = self._answer(messages, kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _answer(self, messages: list[BaseMessage], options: dict[str, Any]) -> AIMessage:
        last = messages[-1]
        if "fail" in last.text:
            raise RuntimeError("the model is overloaded")
        tools = options.get("tools") or []
        if tools and not isinstance(last, ToolMessage):
            name = tools[0]["function"]["name"]
            call = {"name": name, "args": {"text": last.text}, "id": f"call_{uuid.uuid4()}"}
            return AIMessage("", tool_calls=[call], response_metadata={"finish_reason": "tools"})
        usage = {"input_tokens": len(messages), "output_tokens": 2, "total_tokens": 9}
        return AIMessage(f"I say {last.text}", usage_metadata=usage)


class StreamingModel(RuleModel):
    """The same, word by word."""

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        ASKED.append(messages[-1].text)
        answer = self._answer(messages, kwargs)
        for word in answer.text.split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))
        pieces = [
            {"name": c["name"], "args": json.dumps(c["args"]), "id": c["id"], "index": 0}
            for c in answer.tool_calls
        ]
        last = AIMessageChunk("", tool_call_chunks=pieces, usage_metadata=answer.usage_metadata)
        yield ChatGenerationChunk(message=last)


class AsyncModel(StreamingModel):
    """The same, with async methods of its own, the first of which leans on another's."""

    async def _agenerate(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(0)
        return await super()._agenerate(messages, *args, **kwargs)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, *args, **kwargs):
            await asyncio.sleep(0)
            yield chunk


class EchoLlm(LLM):
    """An older model: text in, text out."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> str:
        ASKED.append(prompt)
        return f"echo {prompt}"


@tool
def shout(text: str) -> dict[str, str]:
    """Say it louder."""
    return {"text": text.upper()}


@tool
def consult(text: str) -> str:
    """Ask a model inside."""
    return str(RuleModel().invoke(text).text)


class State(TypedDict, total=False):
    """What the graphs keep."""

    messages: Annotated[list[Any], add_messages]
    text: str


model = RuleModel()
streaming_model = StreamingModel()
async_model = AsyncModel()
echo = EchoLlm()
fails = RunnableLambda(lambda _: model.invoke("fail").text)
assigns = RunnablePassthrough.assign(said=RunnableLambda(lambda given: given["text"]) | async_model)


def catches(text: str) -> str:
    try:
        return str(model.invoke(text).text)
    except RuntimeError as error:
        return f"caught {type(error).__name__}: {error}"


def consults(text: str) -> str:
    return consult.invoke({"text": text})


def reads_one_word(text: str) -> str:
    for chunk in streaming_model.stream(text):
        return str(chunk.text)
    return "nothing"


async def twice(text: str) -> list[str]:
    answers = [await async_model.ainvoke(text), await async_model.ainvoke(text)]
    return [str(answer.text) for answer in answers]


def graph_with(node_model: RuleModel) -> Any:
    calling = node_model.bind_tools([shout])
    builder = StateGraph(State)
    builder.add_node("model", lambda state: {"messages": [calling.invoke(state["messages"])]})
    builder.add_node("tools", ToolNode([shout]))
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "model")
    return builder.compile()


graph = graph_with(RuleModel())
streaming_graph = graph_with(StreamingModel())


def _asking() -> Any:
    builder = StateGraph(State)
    builder.add_node("ask", lambda state: {"text": interrupt("sure?")})
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    compiled = builder.compile(checkpointer=InMemorySaver())
    return compiled.with_config(configurable={"thread_id": str(uuid.uuid4())})


waits_for_a_person = _asking()

_prompt = ChatPromptTemplate.from_messages(
    [("system", "Be loud."), ("human", "{input}"), ("placeholder", "{agent_scratchpad}")]
)


def executor_with(agent_model: RuleModel) -> AgentExecutor:
    agent = create_tool_calling_agent(agent_model, [shout], _prompt)
    return AgentExecutor(agent=agent, tools=[shout], return_intermediate_steps=True)


executor = executor_with(RuleModel())
streaming_executor = executor_with(AsyncModel())


def counts(limit: int) -> Iterator[int]:
    """A sync generator."""
    for number in range(limit):
        yield [number]


async def spells(text: str) -> AsyncIterator[str]:
    """An async generator that uses a tool for each item."""
    for letter in text:
        yield (await shout.ainvoke({"text": letter}))["text"]


MADE: list[int] = []


async def never_ends(_: Any) -> AsyncIterator[str]:
    while True:
        MADE.append(1)
        await asyncio.sleep(0)
        yield "x"
