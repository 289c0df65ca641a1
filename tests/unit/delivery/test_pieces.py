"""Setting what messages share."""

import pytest

from aftersend.database import blocks, options
from aftersend.delivery.office import PostOffice
from aftersend.delivery.pieces import set_block, set_option
from aftersend.errors import InvalidInput


def _blocks(office: PostOffice) -> dict[str, tuple[str, str]]:
    with office.database.read() as connection:
        return {each.name: (each.html, each.text) for each in blocks.every(connection)}


def test_parts_of_a_block_can_be_set_one_by_one(office: PostOffice) -> None:
    """A part that is not named stays, an empty one is taken away."""
    set_block(office, "footer", html="<hr>")
    set_block(office, "footer", text="--")
    assert _blocks(office) == {"footer": ("<hr>", "--")}

    set_block(office, "footer", html="")
    assert _blocks(office) == {"footer": ("", "--")}


def test_a_block_may_name_what_only_a_delivery_has(office: PostOffice) -> None:
    """Objects, pages and scripts of a block are looked at when it is included."""
    html = (
        "<%@ value object='lamp' xpath='@name' %><%@ foreach object='lamp' xpath='size' %>"
        "<%@ value object='size' %><%@ end %><%@ include url='https://x.example/' %>"
        "<% var price = <%@ value object='lamp' xpath='@price' %>; if (price) { %>"
        "<%@ include view='UnsubscriptionLink' %><%= recipient.first_name %>"
    )

    set_block(office, "card", html=html)

    assert _blocks(office) == {"card": (html, "")}


@pytest.mark.parametrize("name", ["MirrorPage", "MirrorPageUrl", "UnsubscriptionLink"])
def test_the_name_of_a_built_in_block_is_taken(office: PostOffice, name: str) -> None:
    """Nobody hides the unsubscription link behind a block of his own."""
    with pytest.raises(InvalidInput, match=f"{name} is a block of its own"):
        set_block(office, name, html="x")

    assert _blocks(office) == {}


@pytest.mark.parametrize(
    ("html", "text", "sentence"),
    [
        ("a\n<%@ include view='nope' %>", "", "html line 2, column 1: There is no block 'nope'"),
        ("", "<%@ foreach object='a' %>", "text line 1, column 1: `foreach` is not closed"),
        ("<%= recipient. %", "", "html line 1, column 1: `<%` is not closed"),
        ("<%= %>", "", "html line 1, column 1: An expression is empty"),
        ("<%@ include view='card' %>", "", "includes itself: block 'card'"),
        ("<%@ include file='nope' %>", "", "html line 1, column 1: .*'nope'"),
        ("", "", "The block is empty"),
    ],
)
def test_a_broken_block_is_refused_with_the_place(
    office: PostOffice, html: str, text: str, sentence: str
) -> None:
    """A mistake is told to who makes it, and what was there before stays."""
    set_block(office, "card", html="<p>good</p>", text="good")
    with pytest.raises(InvalidInput, match=sentence):
        set_block(office, "card", html=html, text=text)

    assert _blocks(office) == {"card": ("<p>good</p>", "good")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("legal", "<% anything\nat all"),
        ("NmsTracking_ClickFormula", "<%= trackingUrl %>"),
        ("NmsTracking_ClickFormula", "<% if (recipient.a) {\n %><%= trackingUrl %><% } %>"),
        ("NmsTracking_ClickFormula", ""),
        ("NmsTracking_OpenFormula", "<%= trackingUrl %>"),
        ("NmsTracking_LinkParameters", "utm_source=news&utm_campaign=<%= delivery.id %>"),
    ],
)
def test_an_option_that_is_understood_is_set(office: PostOffice, name: str, value: str) -> None:
    """Formulas are looked at, other options are their author's own business."""
    set_option(office, name, value)

    with office.database.read() as connection:
        assert options.get(connection, name) == value


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("two words", "x", "cannot name an option"),
        ("NmsTracking_ClickFormula", "<%= trackingUrl %>\n&a=1", "click formula line 1"),
        ("NmsTracking_ClickFormula", "a\n<%= trackingUrl %>", "A line ends here"),
        ("NmsTracking_ClickFormula", "<% if ( { %><%= trackingUrl %>", "click formula line 1"),
        ("NmsTracking_ClickFormula", "<%@ include option='none' %>", "no option 'none'"),
        ("NmsTracking_OpenFormula", "<%= trackingUrl", "open formula line 1, column 1"),
        ("NmsTracking_LinkParameters", "a=1\nb=2", "link parameters"),
        ("NmsTracking_LinkParameters", "just words", "link parameters: .*write key=value"),
    ],
)
def test_a_broken_option_is_refused_with_the_place(
    office: PostOffice, name: str, value: str, sentence: str
) -> None:
    """What every link of every message would break on is never kept."""
    with pytest.raises(InvalidInput, match=sentence):
        set_option(office, name, value)

    with office.database.read() as connection:
        assert options.every(connection) == {}
