"""From `package.module:attribute` to the object it names."""

from __future__ import annotations

import importlib
import sys

from .errors import TargetInvalid, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load_object(target: str) -> Any:
    """Import `package.module:attribute`; the attribute may be dotted.

    Raises:
        TargetInvalid: the module cannot be imported or has no such attribute.
    """
    module_name, colon, attribute = target.partition(":")
    if not (module_name and colon and attribute):
        raise TargetInvalid(f'"{target}" is not of the form package.module:attribute')
    try:
        found: Any = importlib.import_module(module_name)
    except BaseException as error:  # A module may raise anything, SystemExit too.
        raise TargetInvalid(
            f"{module_name} cannot be imported with {sys.executable}: "
            f"{type(error).__name__}: {message_of(error)}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise TargetInvalid(f"{module_name} has no attribute {attribute}")
        found = getattr(found, part)
    return found


def forget(targets: list[str]) -> None:
    """Let the targets' modules be imported again, with what their author has changed."""
    importlib.invalidate_caches()
    for target in targets:
        sys.modules.pop(target.partition(":")[0], None)
