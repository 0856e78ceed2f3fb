"""What all runs of a shadow process share besides memory, and none may leave changed.

Environment variables, the working directory, the umask and the time zone: what a run left there
would be found by the next. The twin of `harness/surroundings.ts`. Who was alone keeps its answer,
and the process is given up; of runs beside each other nobody knows which did it, and all are lost.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(eq=False)
class Visit:
    """One run in these surroundings."""

    had_company: bool = False
    #: What it left changed, once it has ended. Never a value.
    left: str | None = None


class Surroundings:
    """What is there when it is made is how it should be: code that was loaded may have set it."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}
        self._now: dict[str, str | None] = {}
        self._others = _look()
        self._under_way: set[Visit] = set()
        sys.addaudithook(self._hear)

    def changed(self) -> str | None:
        """The first thing that is not as it was."""
        for name, value in list(self._now.items()):
            if value != self._before[name]:
                return f"os.environ[{name!r}]"
        now = _look()
        return next((what for what in now if now[what] != self._others[what]), None)

    @contextmanager
    def visit(self) -> Generator[Visit, None, None]:
        """One run; on the event loop only. The process may end with it."""
        if (found := self.changed()) is not None:  # A forgotten thread did it since.
            _end_over(found)
        visit = Visit(had_company=bool(self._under_way))
        for other in self._under_way:
            other.had_company = True
        self._under_way.add(visit)
        answers = False
        try:
            yield visit
            answers = True
        finally:
            self._under_way.discard(visit)
            visit.left = self.changed()
            # Who is cancelled has no answer that could tell of it.
            if visit.left is not None and (visit.had_company or not answers):
                _end_over(visit.left)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Before it is done, by whatever way: a copy of all variables for each run costs more."""
        if event in ("os.putenv", "os.unsetenv"):
            name = os.fsdecode(args[0])
            self._before.setdefault(name, os.environ.get(name))
            self._now[name] = os.fsdecode(args[1]) if event == "os.putenv" else None


def _end_over(changed: str) -> NoReturn:
    sys.stderr.write(f"a run changed {changed}\n")
    sys.stderr.flush()
    os._exit(1)


def _look() -> dict[str, object]:
    return {
        "the working directory": _working_directory(),
        "the umask": _umask(),
        "the time zone": (time.tzname, time.timezone),
    }


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # It was deleted.


def _umask() -> object:
    try:
        with open("/proc/self/status", encoding="utf-8") as lines:
            return next(line for line in lines if line.startswith("Umask:"))
    except (OSError, StopIteration):  # Only Linux tells; elsewhere it is read by setting it.
        mask = os.umask(0o077)
        os.umask(mask)
        return mask


_surroundings: Surroundings | None = None


def watch() -> None:
    """From now on, in a process of the role `shadow`."""
    global _surroundings
    _surroundings = Surroundings()


@contextmanager
def visit() -> Generator[Visit, None, None]:
    """One run; where nothing is watched it leaves nothing."""
    if _surroundings is None:
        yield Visit()
    else:
        with _surroundings.visit() as watched:
            yield watched
