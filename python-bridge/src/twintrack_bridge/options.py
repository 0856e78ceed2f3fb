"""The command line. Not argparse: its import takes longer than the rest of a start."""

from __future__ import annotations

import sys

from .wire import MAX_FRAME_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_EXIT_USAGE = 2

_MAX_RESULT_BYTES = 16 * 1024 * 1024

_USAGE = """\
usage: python -m twintrack_bridge [option …] [package.module:attribute …]

Serves LangChain tools, and optionally a chain, over MCP on stdio. SIGHUP loads the tools again.

  --chain package.module:attribute    a runnable, a graph or a function
  --inject package.module:attribute   gives injected arguments: a mapping by name, or a function of
                                      the tool's and the argument's name
  --threads N                         for sync tools (default 32)
  --max-frame-bytes N                 longer requests are refused (default 4 MiB)
  --max-result-bytes N                longer results are an error (default 16 MiB)
"""


class Options:
    """What the arguments say; wrong ones end the process with the reason."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self.tools: list[str] = []
        self.chain: str | None = None
        self.inject: str | None = None
        self.threads = 32
        self.max_frame_bytes = MAX_FRAME_BYTES
        self.max_result_bytes = _MAX_RESULT_BYTES
        waiting = list(arguments)
        while waiting:
            given = waiting.pop(0)
            name, equals, value = given.partition("=")
            if name in ("-h", "--help"):
                sys.stdout.write(_USAGE)
                sys.exit(0)
            elif not name.startswith("-"):
                self.tools.append(given)
            else:
                self._set(name, value if equals else waiting.pop(0) if waiting else "")
        if not self.tools and not self.chain:
            _refuse("name at least one package.module:attribute, or --chain")

    def _set(self, name: str, value: str) -> None:
        field = name.removeprefix("--").replace("-", "_")
        if field not in vars(self) or field == "tools":
            _refuse(f"there is no option {name}")
        if not value:
            _refuse(f"{name} needs a value")
        elif field in ("chain", "inject"):
            setattr(self, field, value)
        elif value.isdecimal() and int(value) > 0:
            setattr(self, field, int(value))
        else:
            _refuse(f"{name} is a number of at least 1, not {value}")


def _refuse(problem: str) -> NoReturn:
    sys.stderr.write(f"{_USAGE}\ntwintrack_bridge: {problem}\n")
    sys.exit(_EXIT_USAGE)
