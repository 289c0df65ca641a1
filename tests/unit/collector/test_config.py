"""What a tracking server must be told."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from aftersend.collector.config import server_ids_from
from aftersend.errors import InvalidSettings
from aftersend.model.ids import ServerId
from tests.support.tracking_server import PASSWORD, configured


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"server_id": "12"}, "server id '12'"),
        ({"server_id": "ä"}, "server id 'ä'"),
        ({"cookie_domains": ("x; Secure",)}, "cookie domain 'x; Secure'"),
        ({"cookie_domains": ("a.example", "x\r\nSet-Cookie: a")}, "is not a domain"),
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
    config = configured(tmp_path, cookie_domains=("example.com",))

    assert pickle.loads(pickle.dumps(config)) == config
    assert PASSWORD not in repr(config)
    assert "secrets" not in repr(config)


def test_workers_take_the_ids_that_follow() -> None:
    """Digits, then capitals, then small letters; who would need more is refused."""
    assert "".join(server_ids_from(ServerId("8"), 4)) == "89AB"
    assert "".join(server_ids_from(ServerId("Y"), 4)) == "YZab"
    assert server_ids_from(ServerId("z"), 1) == ("z",)
    with pytest.raises(InvalidSettings, match="'y' on there are ids for 2 workers, not for 3"):
        server_ids_from(ServerId("y"), 3)
    with pytest.raises(InvalidSettings, match="server id '12' is not one letter or digit"):
        server_ids_from(ServerId("12"), 1)


def test_the_spools_of_all_workers_are_known(tmp_path: Path) -> None:
    """Whoever is asked can read those of the others, which lie beside its own."""
    config = configured(tmp_path, server_ids=(ServerId("1"), ServerId("A")))

    assert config.spool_of(ServerId("1")) == config.spool_directory
    assert config.spool_of(ServerId("A")) == tmp_path / "spool" / "A"
    assert configured(tmp_path).server_ids == ("1",)
