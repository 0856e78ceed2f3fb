"""Agents as teams have them, with scripted models: one that answers, and ones that give up."""

import itertools
from typing import Any

from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langgraph.prebuilt import create_react_agent


@tool
def find(key: str) -> str:
    """Find."""
    return f"found {key}"


class Scripted(GenericFakeChatModel):
    """Says what it was given, whatever tools it may use."""

    def bind_tools(self, *_: Any, **__: Any) -> "Scripted":
        return self


CALL = AIMessage(
    content="let me see", tool_calls=[{"name": "find", "args": {"key": "a"}, "id": "1"}]
)


def answers() -> Scripted:
    return Scripted(
        messages=itertools.cycle([CALL, AIMessage(content="it is a")]), disable_streaming=True
    )


def never_answers() -> Scripted:
    return Scripted(messages=itertools.repeat(CALL), disable_streaming=True)


PROMPT = ChatPromptTemplate.from_messages(
    [("human", "{input}"), ("placeholder", "{agent_scratchpad}")]
)


def executor_of(model: Scripted, **options: Any) -> AgentExecutor:
    agent = create_tool_calling_agent(model, [find], PROMPT)
    return AgentExecutor(agent=agent, tools=[find], **options)


executor = executor_of(answers(), return_intermediate_steps=True)
limited_executor = executor_of(never_answers(), max_iterations=2)
graph = create_react_agent(answers(), [find])
limited_graph = create_react_agent(never_answers(), [find]).with_config(recursion_limit=3)
