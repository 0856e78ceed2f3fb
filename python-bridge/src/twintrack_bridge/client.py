"""What the client is told, as JSON-RPC has it."""

from __future__ import annotations

from .errors import INVALID_REQUEST, RequestError
from .outbox import encode, encode_within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .outbox import Outbox
    from .value import JsonObject, JsonValue


class Client:
    """The other end of the pipes; called from any thread."""

    def __init__(self, outbox: Outbox, max_bytes: int) -> None:
        self._outbox = outbox
        self._max_bytes = max_bytes

    def encode(self, message: JsonObject) -> bytes:
        """A message that holds what the user's code made, as a frame.

        Raises:
            RequestError: it is too long.
        """
        return encode_within(self._max_bytes, {"jsonrpc": "2.0", **message})

    def send(self, frame: bytes) -> None:
        """Hand a frame over."""
        self._outbox.send(frame)

    def notify(self, method: str, params: JsonObject) -> None:
        """Send a notification."""
        self._outbox.send(encode({"jsonrpc": "2.0", "method": method, "params": params}))

    def fail(self, request_id: JsonValue, error: RequestError) -> None:
        """Answer a request with an error."""
        self._outbox.send(encode({"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}))

    def refuse(self, request_id: JsonValue, why: str, rpc_code: int = INVALID_REQUEST) -> None:
        """Answer what cannot be served as it is."""
        self.fail(request_id, RequestError(rpc_code, why))
