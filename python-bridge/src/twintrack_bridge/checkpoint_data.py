"""A LangGraph checkpoint as data, and data as a checkpoint again."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from .value import JsonObject

#: Where a checkpoint is; without its id the newest one of a thread.
Place = dict[str, Any]


def place_of(config: Any) -> Place:
    """A checkpoint; without its id the newest one of a thread."""
    configurable = config.get("configurable", {})
    place = {
        "thread_id": configurable.get("thread_id"),
        "checkpoint_ns": configurable.get("checkpoint_ns", ""),
    }
    checkpoint_id = configurable.get("checkpoint_id")
    return {**place, "checkpoint_id": checkpoint_id} if checkpoint_id else place


def config_of(place: Place) -> Any:
    return {"configurable": dict(place)}


def plain_of(found: Any) -> JsonObject:
    """A caller's configuration may hold anything; of a checkpoint's only the place is its own."""
    return {
        "place": place_of(found.config),
        "parent": None if found.parent_config is None else place_of(found.parent_config),
        "checkpoint": found.checkpoint,
        "metadata": found.metadata,
        "writes": [list(write) for write in found.pending_writes or ()],
    }


def tuple_of(plain: JsonObject | None) -> Any:
    if plain is None:
        return None
    parent, writes = plain["parent"], [tuple(write) for write in plain["writes"]]
    return CheckpointTuple(
        config=config_of(plain["place"]),
        checkpoint=plain["checkpoint"],
        metadata=plain["metadata"],
        parent_config=None if parent is None else config_of(parent),
        pending_writes=writes,
    )


def lay(found: Any, overlay: InMemorySaver) -> None:
    """Put a recorded checkpoint back, by the methods that every version of the saver has."""
    place = {
        name: value for name, value in place_of(found.config).items() if name != "checkpoint_id"
    }
    if found.parent_config is not None:
        place["checkpoint_id"] = place_of(found.parent_config).get("checkpoint_id")
    versions = found.checkpoint["channel_versions"]
    config = overlay.put(config_of(place), found.checkpoint, found.metadata, versions)
    pending: list[Any] = list(found.pending_writes or ())
    for task_id, writes in groupby(pending, key=lambda write: write[0]):
        overlay.put_writes(config, [(channel, value) for _, channel, value in writes], task_id)
