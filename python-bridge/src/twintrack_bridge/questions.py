"""Reads that a recorded run asks its client for, because they are in nobody's record.

JSON-RPC the other way round, on the same pipes. Only a client that offered to answer is asked, and
only in the midst of its own request: no other MCP client ever meets such a request.
"""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future

from .errors import INTERNAL_ERROR, ReadUnrecorded, RequestError
from .value import JsonObject, JsonValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import Client
    from .flight import RequestId

METHOD = "twintrack/chain/read"


class Questions:
    """Those of all runs; called from any thread."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._ids = itertools.count(1)
        self._open: dict[JsonValue, Future[JsonValue]] = {}

    def ask(self, params: JsonObject) -> Future[JsonValue]:
        """The answer that will come; to cancel it is to forget the question.

        Raises:
            RequestError: the question is too long to be sent.
        """
        question_id = f"read-{next(self._ids)}"
        answer: Future[JsonValue] = Future()
        self._open[question_id] = answer
        answer.add_done_callback(lambda _: self._open.pop(question_id, None))
        try:
            message = {"id": question_id, "method": METHOD, "params": params}
            self._client.send(self._client.encode(message))
        except BaseException:
            answer.cancel()
            raise
        return answer

    def answer(self, message: JsonObject) -> None:
        """Take what the client answered; what nobody waits for any more is dropped."""
        answer = self._waiting_for(message.get("id"))
        if answer is None:
            return
        result, error = message.get("result"), message.get("error")
        if isinstance(result, dict) and "value" in result:
            answer.set_result(result["value"])
        else:
            told = error.get("message") if isinstance(error, dict) else None
            answer.set_exception(ReadUnrecorded(str(told or "the client gave no answer")))

    def give_up(self, question_id: JsonValue, why: str) -> bool:
        """Fail the question whose answer cannot be read; False when there is no such question."""
        answer = self._waiting_for(question_id)
        if answer is None:
            return False
        refusal = f"the answer to a read cannot be taken: {why}"
        answer.set_exception(RequestError(INTERNAL_ERROR, refusal, {"code": "VALUE_TOO_LARGE"}))
        return True

    def _waiting_for(self, question_id: JsonValue) -> Future[JsonValue] | None:
        answer = self._open.get(question_id) if isinstance(question_id, str) else None
        return answer if answer is not None and answer.set_running_or_notify_cancel() else None


class AskedReads:
    """Those of one run, which ends them with itself."""

    def __init__(self, questions: Questions, request_id: RequestId) -> None:
        self._questions = questions
        self._request_id = request_id
        self._lock = threading.Lock()
        self._open: set[Future[JsonValue]] = set()
        self._closed = False
        #: A question or an answer that could not be carried: the request has failed with it.
        self.problem: RequestError | None = None

    def ask(self, tool: str, args: JsonValue) -> Future[JsonValue]:
        """The answer that will come, or a `ReadUnrecorded` in its place.

        Raises:
            ReadUnrecorded: the run has ended.
            RequestError: the arguments are too large to be sent.
        """
        with self._lock:
            if self._closed:
                raise ReadUnrecorded(f"{tool} was called after its run had ended; not executed")
            params = {"requestId": self._request_id, "tool": tool, "args": args}
            try:
                answer = self._questions.ask(params)
            except RequestError as error:
                self.problem = error
                raise
            self._open.add(answer)
        answer.add_done_callback(self._ended)
        return answer

    def close(self) -> None:
        """End every wait; from any thread, because one may be blocking the event loop."""
        with self._lock:
            self._closed = True
            waiting = list(self._open)
        for answer in waiting:
            answer.cancel()

    def _ended(self, answer: Future[JsonValue]) -> None:
        with self._lock:
            self._open.discard(answer)
        error = None if answer.cancelled() else answer.exception()
        if isinstance(error, RequestError):
            self.problem = error
