"""The egress guard of a shadow process: what code there does past LangChain's tools.

A shadow run may reach the world only where a tool or a model call that may run does it. Any other
socket, command or change of a file is refused and told to the run that tried. Python's audit hooks
see these acts whoever does them, and cannot be taken away; a socket that a permitted call has
opened and left open is not seen again.

Source of the events: https://docs.python.org/3/library/audit_events.html
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from .errors import EgressRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Rules:
    """What may be reached although no tool does it."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.hosts: Sequence[str] = given.get("hosts") or ()
        self.commands = given.get("commands") is True
        folders = [tempfile.gettempdir(), "/dev", *(given.get("files") or ())]
        self.folders = tuple(os.path.realpath(folder) for folder in folders)

    def allow_host(self, place: str) -> bool:
        """`place` is `host:port`, or the path of a local socket."""
        host = place.rpartition(":")[0] or place
        return any(
            host.endswith(rule[1:]) if rule.startswith("*.") else rule in (place, host)
            for rule in self.hosts
        )

    def allow_path(self, path: str) -> bool:
        """A path in one of the folders, or a folder itself."""
        real = os.path.realpath(path)
        return any(real == folder or real.startswith(folder + os.sep) for folder in self.folders)


def install(may_reach: Callable[[], bool], note: Callable[[str], None]) -> None:
    """Guard this process, for good.

    Args:
        may_reach: whether the code that runs now belongs to a call that may reach the world.
        note: takes what was refused, in words for the report.
    """
    rules = Rules(json.loads(os.environ.get("TWINTRACK_EGRESS") or "{}"))
    sys.dont_write_bytecode = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        check = _CHECKS.get(event)
        attempt = check and check(rules, args)
        if attempt and not may_reach():
            note(attempt)
            raise EgressRefused(
                f"A shadow run tried to {attempt} outside of a tool; it was not done. "
                "Make it a tool, or allow it: egress: { hosts, files, commands }"
            )

    sys.addaudithook(hook)


def _connect(rules: Rules, args: tuple[Any, ...]) -> str | None:
    place = _place_of(args[-1])
    return None if place is None or rules.allow_host(place) else f"connect {place}"


def _place_of(address: Any) -> str | None:
    if isinstance(address, bytes):
        return os.fsdecode(address)
    if isinstance(address, tuple) and len(address) > 1:
        return f"{address[0]}:{address[1]}"
    return address if isinstance(address, str) else None


def _command(rules: Rules, args: tuple[Any, ...]) -> str | None:
    return None if rules.commands else f"run {args[0] if args else 'another process'}"


def _signal(_rules: Rules, args: tuple[Any, ...]) -> str | None:
    return None if args[0] in (0, os.getpid(), os.getpgrp()) else f"signal process {args[0]}"


def _opened(rules: Rules, args: tuple[Any, ...]) -> str | None:
    path, _mode, flags = args
    writes = isinstance(flags, int) and flags & _WRITES
    return _changed(rules, (path,)) if writes else None


def _changed(rules: Rules, args: tuple[Any, ...]) -> str | None:
    for path in args[:2]:
        if isinstance(path, (str, bytes, os.PathLike)):
            text = os.fsdecode(path)
            if not rules.allow_path(text):
                return f"change {text}"
    return None


def _database(rules: Rules, args: tuple[Any, ...]) -> str | None:
    name = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes, os.PathLike)) else ""
    in_memory = name in ("", ":memory:") or "mode=memory" in name or "mode=ro" in name
    return None if in_memory else _changed(rules, (name.removeprefix("file:"),))


_CHECKS: dict[str, Callable[[Rules, tuple[Any, ...]], str | None]] = {
    "socket.connect": _connect,
    "socket.sendto": _connect,
    "socket.sendmsg": _connect,
    "subprocess.Popen": _command,
    "os.system": _command,
    "os.exec": _command,
    "os.posix_spawn": _command,
    "os.spawn": _command,
    "os.fork": _command,
    "os.forkpty": _command,
    "os.kill": _signal,
    "os.killpg": _signal,
    "open": _opened,
    "os.remove": _changed,
    "os.rename": _changed,
    "os.mkdir": _changed,
    "os.rmdir": _changed,
    "os.link": _changed,
    "os.symlink": _changed,
    "os.truncate": _changed,
    "os.chmod": _changed,
    "os.chown": _changed,
    "sqlite3.connect": _database,
}
