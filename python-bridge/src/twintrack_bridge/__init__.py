"""Serves the LangChain tools and chains of a Python project over MCP on stdio.

`python -m twintrack_bridge [--chain pkg.mod:attr] [pkg.mod:attr …]`. Nothing here is installed in
the user's environment and nothing but the standard library and their own langchain-core is used.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
