"""Tools nobody here wrote: those of langchain-community that need no network, on fixed data."""

import os
from pathlib import Path
from typing import Any

from langchain_community.agent_toolkits import FileManagementToolkit
from langchain_community.tools import HumanInputRun, SleepTool
from langchain_community.tools.json.tool import JsonGetValueTool, JsonListKeysTool, JsonSpec
from langchain_community.tools.sql_database.tool import (
    InfoSQLDatabaseTool,
    ListSQLDatabaseTool,
    QuerySQLDatabaseTool,
)
from langchain_community.utilities import SQLDatabase
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore

ROOT = Path(os.environ.get("COMMUNITY_ROOT", "."))

_SPEC = JsonSpec(dict_={"orders": [{"id": "o1", "cents": 1200}], "open": True})
_STORE = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
_STORE.add_documents([Document(f"page {n}", id=str(n), metadata={"n": n}) for n in range(5)])


def _database() -> SQLDatabase:
    made = SQLDatabase.from_uri("sqlite://")
    made.run("create table orders (id text primary key, cents integer)")
    made.run("insert into orders values ('o1', 1200), ('o2', 5)")
    return made


_DATABASE = _database()

TOOLS: list[Any] = [
    FileManagementToolkit(root_dir=str(ROOT)),
    JsonListKeysTool(spec=_SPEC),
    JsonGetValueTool(spec=_SPEC),
    create_retriever_tool(_STORE.as_retriever(), "pages", "Find pages."),
    ListSQLDatabaseTool(db=_DATABASE),
    InfoSQLDatabaseTool(db=_DATABASE),
    QuerySQLDatabaseTool(db=_DATABASE),
    SleepTool(),
    HumanInputRun(),
]
