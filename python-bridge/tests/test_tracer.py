import asyncio
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, tool

import models
from twintrack_bridge.tap_sender import TapSender
from twintrack_bridge.tracer import TwintrackTracer

HUMAN = {"messages": [{"role": "user", "content": "hi"}]}


class Tap:
    """A real server that keeps what it is sent."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.statuses: list[int] = []
        #: Requests are answered while it is set.
        self.open = threading.Event()
        self.open.set()
        self.arrived = threading.Semaphore(0)
        tap = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                tap.asked.append((self.path, self.headers["authorization"]))
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                tap.arrived.release()
                tap.open.wait(30)
                status = tap.statuses.pop(0) if tap.statuses else 200
                if status == 200:
                    tap.batches.append(body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def told(self, tracer: TwintrackTracer) -> list[dict[str, Any]]:
        tracer.close(10)
        return [run for batch in self.batches for run in batch["runs"]]


@pytest.fixture
def tap() -> Iterator[Tap]:
    made = Tap()
    yield made
    made.server.shutdown()
    made.server.server_close()


def watched(tracer: TwintrackTracer, **more: Any) -> Any:
    return {"callbacks": [tracer], **more}


def test_a_graphs_run_is_told_with_trigger_answer_raw_values_and_model_calls(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    answer = models.graph.invoke(HUMAN, config=watched(tracer))
    (run,) = tap.told(tracer)

    assert run["input"] == HUMAN
    assert len(answer["messages"]) == len(run["outcome"]["value"]["messages"]) == 4
    (call,) = run["calls"]
    assert (call["tool"], call["args"]) == ("shout", {"text": "hi"})
    assert call["outcome"] == {"status": "returned", "value": {"text": "HI"}}
    asked = [(c["request"]["model"], len(c["request"]["messages"])) for c in run["modelCalls"]]
    assert asked == [("rule-1", 1), ("rule-1", 3)]
    assert run["modelCalls"][0]["request"]["tools"][0]["name"] == "shout"
    assert "sk-secret" not in json.dumps(tap.batches)
    assert tap.asked[0] == ("/tap/f", None)


@pytest.mark.parametrize(
    ("chain", "given", "answer"),
    [
        (RunnableLambda(lambda text: f"{text}!"), "hi", "hi!"),
        (RunnableLambda(lambda given: given), {"input": "x"}, {"input": "x"}),
        (RunnableLambda(lambda given: [given]), 1, [1]),
    ],
)
def test_inputs_and_answers_of_any_form_are_told_as_they_are(
    tap: Tap, chain: Any, given: Any, answer: Any
) -> None:
    tracer = TwintrackTracer("f", tap.url)
    chain.invoke(given, config=watched(tracer))
    (run,) = tap.told(tracer)

    assert run["input"] == given
    assert run["outcome"] == {"status": "returned", "value": answer}


def test_an_agent_executor_and_a_streamed_chain_are_told_whole(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    models.executor.invoke({"input": "hi"}, config=watched(tracer))
    chain = RunnableLambda(lambda text: text) | models.streaming_model
    assert len(list(chain.stream("one two", config=watched(tracer)))) > 1
    executed, streamed = tap.told(tracer)

    assert executed["outcome"]["value"]["output"] == 'I say {"text": "HI"}'
    assert [call["tool"] for call in executed["calls"]] == ["shout"]
    assert streamed["outcome"]["value"]["content"].strip() == "I say one two"
    assert len(streamed["modelCalls"]) == 1


def test_async_runs_at_once_are_told_apart(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)

    async def call(text: str) -> Any:
        await asyncio.sleep(0)
        return await models.shout.ainvoke({"text": text})

    async def all_runs() -> None:
        chain = RunnableLambda(call)
        await asyncio.gather(*(chain.ainvoke(f"t{n}", config=watched(tracer)) for n in range(40)))

    asyncio.run(all_runs())
    runs = tap.told(tracer)

    assert [[c["args"] for c in run["calls"]] for run in runs] == [
        [{"text": run["input"]}] for run in runs
    ]
    assert len({run["triggerId"] for run in runs}) == 40
    assert [run["seq"] for run in runs] == list(range(1, 41))


@tool
def broken() -> str:
    """Fail."""
    raise LookupError("no")


def test_failures_are_told_as_such_and_reach_the_caller_unchanged(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)

    def fails(_: str) -> None:
        with pytest.raises(LookupError):
            broken.invoke({})
        with pytest.raises(RuntimeError):
            models.model.invoke("fail")
        raise TypeError("the end")

    with pytest.raises(TypeError, match="the end"):
        RunnableLambda(fails).invoke("x", config=watched(tracer))
    (run,) = tap.told(tracer)

    assert run["outcome"]["error"]["name"] == "TypeError"
    assert run["calls"][0]["outcome"]["error"]["name"] == "LookupError"
    assert run["modelCalls"][0]["outcome"]["error"]["name"] == "RuntimeError"


def test_only_the_outermost_tool_is_told_and_a_model_inside_names_it(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    RunnableLambda(models.consults).invoke("hi", config=watched(tracer))
    (run,) = tap.told(tracer)

    assert [call["tool"] for call in run["calls"]] == ["consult"]
    assert [call["insideTool"] for call in run["modelCalls"]] == ["consult"]


def test_a_tool_without_a_tracer_is_left_alone(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)

    assert models.shout.invoke({"text": "a"}) == {"text": "A"}
    assert tap.told(tracer) == []


class Uncopyable(BaseTool):
    name: str = "uncopyable"
    description: str = "Cannot be copied."

    def _run(self, text: str) -> str:
        return text.upper()

    def __copy__(self) -> Any:
        raise TypeError("not me")


def test_a_tool_that_cannot_be_copied_runs_as_before_and_is_told(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    tool_of_its_own = Uncopyable()
    chain = RunnableLambda(lambda text: tool_of_its_own.invoke({"text": text}))
    assert chain.invoke("a", config=watched(tracer)) == "A"
    (run,) = tap.told(tracer)

    (call,) = run["calls"]
    assert (call["tool"], call["args"]) == ("uncopyable", {"text": "a"})
    assert call["outcome"] == {"status": "returned", "value": "A"}


def test_the_run_name_and_the_mapping_of_the_input_say_what_a_trigger_is(tap: Tap) -> None:
    tracer = TwintrackTracer(
        "f", tap.url, run_name="refund", given=lambda given: given["q"], api_key="k-1"
    )
    chain = RunnableLambda(lambda given: given)
    chain.invoke({"q": "other"}, config=watched(tracer))
    chain.invoke({"q": "mine"}, config=watched(tracer, run_name="refund"))

    assert [run["input"] for run in tap.told(tracer)] == ["mine"]
    assert tap.asked[0][1] == "Bearer k-1"


def test_a_failed_batch_is_sent_again_and_what_was_given_up_is_told(tap: Tap) -> None:
    tap.statuses = [500, 503]
    tracer = TwintrackTracer("f", tap.url, max_queued_runs=2)
    chain = RunnableLambda(lambda text: text)
    for text in "abcd":
        chain.invoke(text, config=watched(tracer))
    runs = tap.told(tracer)

    assert len(tap.asked) >= 3
    assert [run["seq"] for run in runs] == [1, 2]
    assert tracer.counts["dropped"] == {"queue_full": 2}
    gaps = [gap for batch in tap.batches for gap in batch["gaps"]]
    assert gaps == [{"fromSeq": 3, "toSeq": 4, "cause": "queue_full"}]


def gaps_of(tap: Tap) -> list[dict[str, Any]]:
    return [gap for batch in tap.batches for gap in batch["gaps"]]


def test_what_is_given_up_while_a_gap_is_on_its_way_is_told_too(tap: Tap) -> None:
    tap.open.clear()
    sender = TapSender(tap.url, None, max_runs=0, max_bytes=1_000, exit_s=0)
    sender.offer({"input": "a"})
    assert tap.arrived.acquire(timeout=30)
    sender.offer({"input": "b"})
    tap.open.set()
    sender.close(30)

    assert gaps_of(tap) == [
        {"fromSeq": 1, "toSeq": 1, "cause": "queue_full"},
        {"fromSeq": 2, "toSeq": 2, "cause": "queue_full"},
    ]


def test_gaps_outlive_a_refused_batch_that_carried_them(tap: Tap) -> None:
    tap.statuses = [503, 400]
    tap.open.clear()
    sender = TapSender(tap.url, None, max_runs=1, max_bytes=1_000, exit_s=0)
    sender.offer({"input": "a"})
    assert tap.arrived.acquire(timeout=30)
    sender.offer({"input": "b"})
    tap.open.set()
    sender.close(30)

    assert sorted(gaps_of(tap), key=lambda gap: gap["fromSeq"]) == [
        {"fromSeq": 1, "toSeq": 1, "cause": "refused"},
        {"fromSeq": 2, "toSeq": 2, "cause": "queue_full"},
    ]


def test_what_the_server_refuses_is_accounted_for(tap: Tap) -> None:
    tap.statuses = [400]
    tracer = TwintrackTracer("f", tap.url)
    RunnableLambda(lambda text: text).invoke("a", config=watched(tracer))
    tap.told(tracer)

    assert [(b["runs"], b["gaps"]) for b in tap.batches] == [
        ([], [{"fromSeq": 1, "toSeq": 1, "cause": "refused"}])
    ]


def test_a_run_that_is_too_large_is_given_up_by_itself(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    chain = RunnableLambda(lambda text: text)
    chain.invoke("x" * 4_000_000, config=watched(tracer))
    chain.invoke("small", config=watched(tracer))

    assert [run["seq"] for run in tap.told(tracer)] == [2]
    assert tracer.counts["dropped"] == {"oversize": 1}


@pytest.mark.filterwarnings("ignore:This process .*fork:DeprecationWarning")
def test_a_forked_process_has_numbers_of_its_own(tap: Tap) -> None:
    tracer = TwintrackTracer("f", tap.url)
    chain = RunnableLambda(lambda text: text)
    chain.invoke("parent", config=watched(tracer))
    tracer.close(10)
    child = os.fork()
    if child == 0:
        chain.invoke("child", config=watched(tracer))
        tracer.close(10)
        os._exit(0)
    os.waitpid(child, 0)

    assert [batch["runs"][0]["input"] for batch in tap.batches] == ["parent", "child"]
    assert len({batch["epoch"] for batch in tap.batches}) == 2
    assert [batch["runs"][0]["seq"] for batch in tap.batches] == [1, 1]
