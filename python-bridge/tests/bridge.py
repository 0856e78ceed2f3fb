"""The whole process, over its real pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WAIT_S = 30


class Bridge:
    """A bridge in a process of its own, spoken to frame by frame."""

    def __init__(self, *arguments: str, cwd: Path = HERE, **environment: str) -> None:
        self.asked = 0
        path = os.pathsep.join([str(HERE.parent / "src"), str(HERE)])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "twintrack_bridge", *arguments],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def begin(self, method: str, request_id: Any = None, **params: Any) -> None:
        """Send a request, or without an id a notification."""
        identity = {} if request_id is None else {"id": request_id}
        self.tell(**identity, method=method, params=params)

    def tell(self, **message: Any) -> None:
        """Send a message."""
        self.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def read(self) -> dict[str, Any]:
        """The next frame."""
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, method: str, request_id: int | str = 0, **params: Any) -> dict[str, Any]:
        """Send a request and read the next frame."""
        self.asked += 1
        self.begin(method, request_id or self.asked, **params)
        return self.read()

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of a tool call."""
        return self.ask("tools/call", name=tool, arguments=arguments)["result"]

    def close(self) -> tuple[int, str]:
        """End its stdin; its exit code and all of its stderr."""
        _, stderr = self.process.communicate(timeout=WAIT_S)
        return self.process.returncode, stderr.decode()

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
