"""How pages name web tags."""

import pytest

from aftersend.model.enumeration import UrlType
from aftersend.model.tag import TagSpec, parse


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("home", TagSpec("home")),
        ("Bücher/Romane?seite=1", TagSpec("Bücher/Romane?seite=1")),
        ("home|w", TagSpec("home", UrlType.WEB)),
        ("order|T", TagSpec("order", UrlType.TRANSACTION)),
        ("order|t|My shop ", TagSpec("order", UrlType.TRANSACTION, "My shop")),
        ("order|t|", TagSpec("order", UrlType.TRANSACTION)),
        ("a" * 128 + "|w|" + "f" * 100, TagSpec("a" * 128, UrlType.WEB, "f" * 100)),
    ],
)
def test_a_tag_is_named_alone_or_with_type_and_folder(text: str, spec: TagSpec) -> None:
    """The type lets it be made on the fly."""
    assert parse(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|w",
        "home|",
        "home|x",
        "home|w|a|b",
        "two words",
        "a&b",
        "a\tb",
        "a\0",
        "a\u2028b",
        "a" * 129,
        "a|w|" + "f" * 101,
        "a|w|f\n",
    ],
)
def test_what_names_no_tag_is_none(text: str) -> None:
    """Spaces, bars, control characters and lengths beyond the limits name nothing."""
    assert parse(text) is None
