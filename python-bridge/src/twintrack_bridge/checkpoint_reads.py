"""Reads of one checkpointer, named, and in the form in which they are recorded.

The twin of `adapter/checkpoint-source.ts`.
"""

from __future__ import annotations

import base64
from typing import Any

from .checkpoint_data import Place, place_of, plain_of, tuple_of
from .delta_history import history_of
from .memory import Read
from .value import Converted, JsonObject, JsonValue, to_json


class CheckpointReads:
    """`serde` is how the checkpointer stores values, `ordinal` which one of its run's it is."""

    def __init__(self, serde: Any, ordinal: int) -> None:
        self._serde = serde
        self._ordinal = ordinal

    def one(self, place: Place) -> Read:
        """A checkpoint."""
        return Read(
            "checkpoint",
            self._key(place),
            encode=lambda found: self._packed(None if found is None else plain_of(found)),
            decode=lambda data: tuple_of(self._unpacked(data)),
        )

    def several(self, config: Any, options: dict[str, Any]) -> Read:
        """A list of checkpoints, as `{"tuples", "whole"}`."""
        before = options.get("before")
        asked = {
            "limit": options.get("limit"),
            "filter": options.get("filter"),
            "before": None if before is None else place_of(before),
        }
        place = {} if config is None else place_of(config)
        return Read(
            "checkpoints",
            self._key({**place, **asked}),
            encode=lambda found: self._packed(
                {**found, "tuples": [*map(plain_of, found["tuples"])]}
            ),
            decode=lambda data: self._listed(data),
        )

    def deltas(self, place: Place, channel: str) -> Read:
        """Of one channel: which are asked for together depends on which were snapshotted last."""
        return Read(
            "deltas",
            self._key({**place, "channel": channel}),
            encode=self._packed,
            decode=lambda data: history_of(self._unpacked(data)),
        )

    def _key(self, asked: JsonObject) -> JsonValue:
        return {"saver": self._ordinal, **to_json(asked).value}

    def _listed(self, data: JsonValue) -> Any:
        found = self._unpacked(data)
        return {**found, "tuples": [tuple_of(plain) for plain in found["tuples"]]}

    def _packed(self, value: Any) -> Converted:
        kind, data = self._serde.dumps_typed(value)
        return to_json({"type": kind, "data": base64.b64encode(data).decode("ascii")})

    def _unpacked(self, data: JsonObject) -> Any:
        return self._serde.loads_typed((data["type"], base64.b64decode(data["data"])))
