"""What LangGraph rebuilds a `DeltaChannel` from (beta), below a checkpoint that a run itself wrote.

The twin of `adapter/delta-history.ts`: for each channel the value that the nearest checkpoint above
holds, and what was written since. It is what was above, and one step more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def history_of(plain: Any) -> dict[str, Any]:
    """A history that was recorded, as LangGraph's savers give it."""
    return {**plain, "writes": [tuple(write) for write in plain["writes"]]}


def unseeded(above: Any, channels: Sequence[str]) -> list[str]:
    """Channels of which the checkpoint above, if there is one, does not hold the value itself."""
    if above is None:
        return []
    return [channel for channel in channels if channel not in above.checkpoint["channel_values"]]


def extended(above: Any, earlier: Mapping[str, Any], channels: Sequence[str]) -> dict[str, Any]:
    """The histories below `above`.

    Args:
        above: the checkpoint above; None when there is none.
        earlier: the histories of `above` itself, for the channels that it does not hold.
        channels: those that are asked for.
    """
    if above is None:
        return {channel: {"writes": []} for channel in channels}
    return {channel: _one_more(above, earlier.get(channel), channel) for channel in channels}


def _one_more(above: Any, earlier: Any, channel: str) -> dict[str, Any]:
    written = [write for write in above.pending_writes or () if write[1] == channel]
    if earlier is None:
        return {"writes": written, "seed": above.checkpoint["channel_values"][channel]}
    return {**earlier, "writes": [*earlier["writes"], *written]}
