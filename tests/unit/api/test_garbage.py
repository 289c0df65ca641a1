"""Whatever is sent to the API, its answer is JSON and never a fault of ours."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient

from aftersend.model.ids import ID_MAX
from aftersend.web.services import Services
from tests.support.page_seed import add_delivery, add_recipients, add_workflow

_NUMBERS = st.integers() | st.sampled_from([ID_MAX + 1, 2**63, 2**64])
_SOME = st.one_of(
    st.text(max_size=30),
    _NUMBERS.map(str),
    st.sampled_from(["tracking", "1", "journal", "run", "report", "\x00", "..", "%", "'", "-1"]),
)
_PATHS = st.one_of(
    st.builds("workflows/{}".format, _SOME.map(lambda text: quote(text, safe=""))),
    st.builds(
        "workflows/{}/{}".format,
        st.sampled_from(["tracking", "x"]),
        _SOME.map(lambda text: quote(text, safe="")),
    ),
    st.builds("deliveries/{}/report".format, _SOME.map(lambda text: quote(text, safe=""))),
    st.builds("hits/{}".format, _SOME.map(lambda text: quote(text, safe=""))),
    st.sampled_from(["recompute", "schema", "", "workflows/tracking/journal"]),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | _NUMBERS | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["deliveries", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)
_QUERY = st.dictionaries(
    st.sampled_from(["severity", "limit", "all_hits", "offset", "x"]), _SOME, max_size=3
)


@pytest.fixture
def stocked(client: TestClient[Any], services: Services) -> TestClient[Any]:
    """Let there be something to find."""
    add_workflow(services)
    add_delivery(services, add_recipients(services, ["John"]))
    return client


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    path=_PATHS,
    query=_QUERY,
    body=st.one_of(
        st.none(),
        _JSON,
        st.binary(max_size=40),
        st.fixed_dictionaries({"deliveries": st.lists(_NUMBERS, max_size=3)}),
    ),
)
@example(method="GET", path=f"deliveries/{2**64}/report", query={}, body=None)
@example(method="POST", path="recompute", query={}, body={"deliveries": [float("inf")]})
def test_garbage_is_refused(
    stocked: TestClient[Any],
    method: str,
    path: str,
    query: dict[str, str],
    body: Any,
) -> None:
    """No 5xx, and an error is always a sentence.

    Mutant killed: numbers of deliveries in an address without a bound, which overflow in SQLite.
    """
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if content is None else {"content-type": "application/json"}
    answer = stocked.request(
        method, f"/api/v1/{path}", params=query, headers=headers, content=content
    )

    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert set(answer.json()) == {"error"}
        assert answer.json()["error"]
