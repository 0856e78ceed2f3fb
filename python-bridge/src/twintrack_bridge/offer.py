"""What the process serves; replaced as a whole when the user's code is loaded again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .binding import Binding
    from .contract import Bridged
    from .loading import Unsupported


class Offer:
    """Tools by every name they have, their lists in each revision's form, and the chain."""

    def __init__(
        self,
        chain: Any,
        tools: Sequence[Bridged] = (),
        unsupported: Sequence[Unsupported] = (),
        binding: Binding | None = None,
    ) -> None:
        self.chain = chain
        self.binding = binding
        self.by_name = {t.contract.original_name: t for t in reversed(tools)}
        self.by_name.update({t.contract.name: t for t in tools})
        self.unsupported = [{"name": one.name, "reason": one.reason} for one in unsupported]
        self.listed = [tool.contract.as_mcp() for tool in tools]
        self.listed_modern = [tool.contract.as_mcp(any_output=True) for tool in tools]
