"""What a tracking server must be told."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from aftersend.errors import InvalidSettings
from tests.support.tracking_server import PASSWORD, configured


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"server_id": "12"}, "server id '12'"),
        ({"server_id": "ä"}, "server id 'ä'"),
        ({"cookie_domain": "x; Secure"}, "cookie domain 'x; Secure'"),
        ({"cookie_domain": "x\r\nSet-Cookie: a"}, "is not a domain"),
        ({"password": ""}, "password of the tracking server is empty"),
        ({"trusted_proxies": ("10.0.0.0/8", "proxy")}, "trusted proxy 'proxy'"),
    ],
)
def test_what_could_not_work_is_refused_at_once(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    """A sentence now is better than an error at the first click."""
    with pytest.raises(InvalidSettings, match=sentence):
        configured(tmp_path, **changes)


def test_a_configuration_travels_but_tells_no_secret(tmp_path: Path) -> None:
    """It can be handed to another process; printed, it holds neither keys nor password."""
    config = configured(tmp_path, cookie_domain="example.com")

    assert pickle.loads(pickle.dumps(config)) == config
    assert PASSWORD not in repr(config)
    assert "secrets" not in repr(config)
