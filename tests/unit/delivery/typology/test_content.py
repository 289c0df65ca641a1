"""Rules about the message itself."""

from dataclasses import replace

import pytest

from aftersend.content import Source
from aftersend.delivery.typology import Rendering
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from tests.support.typology import link, prepared, told

KB = 1024


def test_a_message_that_is_not_understood_is_told() -> None:
    """That nothing would be tracked is a warning, with the reason."""
    fine = prepared()
    odd = replace(fine, template=replace(fine.template, untracked_reason="two readings differ."))

    assert ["The message would be sent as it is, without any tracking: two readings differ."] == (
        told(odd, "untracked")
    )
    assert [] == told(fine, "untracked")


def test_each_part_has_a_link_to_unsubscribe() -> None:
    """One of the HTML does not help those who read the text."""
    fine = prepared()
    leave = link("https://x.example/", kind=UrlType.OPT_OUT, mode=TrackingMode.OPT_OUT)

    (text,) = told(replace(fine, links=[leave]), "unsubscription-link")

    assert "The text part has no link to unsubscribe" in text
    assert [] == told(fine, "unsubscription-link")
    plain = replace(leave, url=replace(leave.url, part=Part.TEXT))
    text_alone = prepared(source=Source("Hi", text="Hello"))
    assert [] == told(replace(text_alone, links=[plain]), "unsubscription-link")


def test_a_message_has_a_text_part() -> None:
    """HTML alone is told of; text alone is fine."""
    assert 1 == len(told(prepared(source=Source("Hi", html="<p>Hello</p>")), "text-part"))
    assert [] == told(prepared(source=Source("Hi", text="Hello")), "text-part")
    assert [] == told(prepared(), "text-part")


@pytest.mark.parametrize(
    "text",
    [
        "<%= recipient.frist %>",
        "<%= recipient.frist.toUpperCase() %>",
        "<% if (recipient.frist) { %>Hi<% } %>",
        "https://x.example/?a=<%= escapeUrl(recipient.frist) %>",
    ],
)
def test_a_field_that_nobody_has_is_told(text: str) -> None:
    """Values, scripts, statements and addresses name fields; without people nobody can tell."""
    source = Source("Hi <%= recipient.first_name %>", text=text)
    known = frozenset(("first", "frist"))

    (found,) = told(prepared(source=source, fields=frozenset(("first",))), "personalisation")

    assert "The field recipient.frist is empty for everybody we looked at" in found
    assert [] == told(prepared(source=source, fields=known), "personalisation")
    assert [] == told(prepared(source=source, fields=None), "personalisation")


@pytest.mark.parametrize("placeholder", ["{{name}}", "{{ person.name }}", "*|FNAME|*", "%%first%%"])
def test_what_another_product_would_fill_is_told(placeholder: str) -> None:
    """People would read it as it stands, in the subject as in either part."""
    html = f"<style>a{{b{{c:d}}}}</style><p>{placeholder} {placeholder} <%= '{{{{x}}}}' %></p>"
    source = Source(f"Hi {placeholder}", html, f"Hello {placeholder}, 50 %% off")

    found = told(prepared(source=source), "foreign-placeholder")

    assert [f"The {name} has {placeholder}, " for name in ("subject", "HTML", "text")] == [
        text[: text.index(", ") + 2] for text in found
    ]
    assert [] == told(prepared(), "foreign-placeholder")


def test_people_whom_the_message_cannot_be_written_to_are_counted() -> None:
    """Some are a warning with the first reason, all are an error."""
    fine, bad = Rendering("ada@x.example", 9), Rendering("eve@x.example", problem="It failed.")
    some, every = prepared(renderings=[fine, bad, bad]), prepared(renderings=[bad, bad])

    (warning,) = told(some, "rendering")
    (error,) = told(every, "rendering-all")

    assert "to 2 of the first 3 people" in warning
    assert "eve@x.example: It failed." in warning
    assert "to anybody of the first 2: It failed." in error
    assert [] == told(some, "rendering-all") == told(every, "rendering")
    assert [] == told(prepared(renderings=[fine]), "rendering")
    assert [] == told(prepared(), "rendering-all")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (60 * KB, ()),
        (60 * KB + 1, ("has 60 KB", "loads slowly")),
        (102 * KB, ("has 102 KB", "loads slowly")),
        (102 * KB + 1, ("has 102 KB", "Gmail cuts it after 102 KB")),
    ],
)
def test_large_html_is_told(size: int, words: tuple[str, ...]) -> None:
    """The largest message counts; over the size at which Gmail cuts, the words are stronger."""
    renderings = [Rendering("ada@x.example", size), Rendering("bob@x.example", 9)]

    found = told(prepared(renderings=renderings), "size")

    assert bool(words) == bool(found)
    assert all(word in text for text in found for word in words)
