"""The queries of docs/flow.md for cqlsh, run as they stand there."""

import re

import pytest

from engine.clients import cassandra_session
from engine.settings import CLONE, Settings

pytestmark = pytest.mark.services

BLOCKS = re.findall(r"```cql\n(.*?)```", (CLONE / "docs" / "flow.md").read_text(), re.DOTALL)
QUERIES = [query.strip() for block in BLOCKS for query in block.split(";") if query.strip()]


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 5


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_runs_as_it_is_printed(stack: Settings, query: str) -> None:
    with cassandra_session(stack, "verify") as session:
        answer = session.execute(query)
        assert answer.column_names
        list(answer)
