"""Which links are tracked, what they are called, and what the instance remembers of them."""

import pytest

from aftersend.database import enumerations, url_memory
from aftersend.database.enumerations import URL_CATEGORY
from aftersend.database.url_memory import Remembered
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.analyse import analyse
from aftersend.delivery.create import create
from aftersend.delivery.links import list_urls, set_url, set_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.properties import Properties, change_properties
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import Part, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId
from tests.support.post_office import draft

SHOP = "https://shop.example/lamps"
HTML = f"<a href='{SHOP}'>look</a>"
TEXT = f"Look: {SHOP}"
OFF = (TrackingMode.NOT_TRACKED, TrackingMode.NEVER)


def _made(office: PostOffice, html: str | None = HTML, text: str | None = None) -> DeliveryId:
    return create(office, draft(html=html, text=text))


def _url(office: PostOffice, delivery_id: DeliveryId, part: Part = Part.HTML) -> TrackedUrl:
    (url,) = (each for each in list_urls(office, delivery_id) if each.part is part)
    return url


def _rewrite(office: PostOffice, delivery_id: DeliveryId, html: str) -> TrackedUrl:
    change_properties(office, delivery_id, Properties(html=html))
    return _url(office, delivery_id)


def _memory(office: PostOffice, source: str = SHOP) -> Remembered | None:
    with office.database.read() as connection:
        return url_memory.of_sources(connection, [source]).get(source)


@pytest.mark.parametrize("mode", [TrackingMode.ALWAYS, TrackingMode.NEVER])
def test_always_and_never_are_remembered_for_later_deliveries(
    office: PostOffice, mode: TrackingMode
) -> None:
    """A later delivery begins with mode, label and category of the URL, in both parts."""
    first = _made(office)
    set_url(office, first, _url(office, first).id, mode=mode, label="Lamps", category="shop")

    second = _made(office, text=TEXT)

    for part in (Part.HTML, Part.TEXT):
        url = _url(office, second, part)
        assert (mode, "Lamps", "shop") == (url.mode, url.label, url.category)
        assert UrlType.EMAIL_CLICK is url.type


@pytest.mark.parametrize(
    "mode",
    [mode for mode in TrackingMode if mode not in (TrackingMode.ALWAYS, TrackingMode.NEVER)],
)
def test_another_mode_makes_the_instance_forget(office: PostOffice, mode: TrackingMode) -> None:
    """Each of the other modes counts for its own delivery alone."""
    first = _made(office)
    set_url(office, first, _url(office, first).id, mode=TrackingMode.NEVER)
    assert TrackingMode.NEVER is _url(office, _made(office)).mode

    set_url(office, first, _url(office, first).id, mode=mode)

    assert _memory(office) is None
    assert TrackingMode.ENABLED is _url(office, _made(office)).mode
    assert mode is _url(office, first).mode


def test_another_name_of_a_remembered_url_is_remembered_too(office: PostOffice) -> None:
    """The last label and category count; those of a URL that is not remembered do not."""
    first = _made(office)
    link = _url(office, first).id
    set_url(office, first, link, label="Lamps")
    assert _memory(office) is None
    set_url(office, first, link, mode=TrackingMode.ALWAYS)

    set_url(office, first, link, category="shop")

    assert Remembered(SHOP, TrackingMode.ALWAYS, "Lamps", "shop") == _memory(office)


def test_a_url_is_no_label_to_remember(office: PostOffice) -> None:
    """A link that has only its address as a name leaves later ones their own."""
    first = _made(office, html=None, text=TEXT)
    set_url(office, first, _url(office, first, Part.TEXT).id, mode=TrackingMode.ALWAYS)

    second = _url(office, _made(office))

    assert (TrackingMode.ALWAYS, "look") == (second.mode, second.label)


def test_a_never_that_is_remembered_reaches_links_that_nobody_chose_for(
    office: PostOffice,
) -> None:
    """The next analysis of a delivery that was there brings it; a choice of its own stays."""
    open_one, chosen, other = _made(office), _made(office), _made(office)
    set_url(office, chosen, _url(office, chosen).id, mode=TrackingMode.OPT_OUT)
    set_url(office, other, _url(office, other).id, mode=TrackingMode.NEVER)

    for delivery_id in (open_one, chosen):
        analyse(office, delivery_id)

    assert TrackingMode.NEVER is _url(office, open_one).mode
    assert TrackingMode.OPT_OUT is _url(office, chosen).mode


def test_an_authors_attribute_wins_over_the_memory(office: PostOffice) -> None:
    """The author's type stays what it is, and his label."""
    first = _made(office)
    set_url(office, first, _url(office, first).id, mode=TrackingMode.NEVER, label="Never")

    html = f"<a href='{SHOP}' _type='optOut' _label='Bye'>look</a>"
    url = _url(office, _made(office, html))

    assert (TrackingMode.OPT_OUT, UrlType.OPT_OUT, "Bye") == (url.mode, url.type, url.label)


@pytest.mark.parametrize("mark", ["clicktracking=off", "ses:no-track", "data-pm-no-track"])
def test_a_mark_of_the_author_that_switches_off_wins_over_the_memory(
    office: PostOffice, mark: str
) -> None:
    """The link is off in the text, too, and on again when the mark is gone."""
    first = _made(office)
    set_url(office, first, _url(office, first).id, mode=TrackingMode.ALWAYS, label="Lamps")
    marked = _made(office, f"<a {mark} href='{SHOP}'>look</a>", TEXT)
    off = [url.mode for url in list_urls(office, marked)]

    _rewrite(office, marked, HTML)

    assert [TrackingMode.NOT_TRACKED] * 2 == off
    assert [TrackingMode.ALWAYS] * 2 == [url.mode for url in list_urls(office, marked)]
    assert TrackingMode.ALWAYS is (_memory(office) or pytest.fail("it was forgotten")).mode


def test_an_authors_category_is_kept_and_offered(office: PostOffice) -> None:
    """The attribute fills the list, what somebody chose stays, and a removed one goes."""
    html = f"<a href='{SHOP}' _category='lamps'>look</a>"
    delivery_id = _made(office, html)
    written = _url(office, delivery_id)
    with office.database.read() as connection:
        offered = enumerations.values(connection, URL_CATEGORY)

    removed = _rewrite(office, delivery_id, HTML)
    set_url(office, delivery_id, written.id, category="chairs")
    chosen = _rewrite(office, delivery_id, html)

    assert ("lamps", "", "chairs") == (written.category, removed.category, chosen.category)
    assert "lamps" in offered


def test_a_link_keeps_its_id_and_what_was_chosen(office: PostOffice) -> None:
    """Mode, label and category that somebody set outlive another text of the link."""
    delivery_id = _made(office)
    link = _url(office, delivery_id).id
    chosen = set_url(
        office, delivery_id, link, mode=TrackingMode.NOT_TRACKED, label="L", category="shop"
    )

    again = _rewrite(office, delivery_id, f"<p>More</p><a href='{SHOP}'>see</a>")

    assert (chosen.id, chosen.mode, chosen.label, chosen.category) == (
        again.id,
        again.mode,
        again.label,
        again.category,
    )


def test_a_label_that_nobody_chose_follows_the_text_of_the_link(office: PostOffice) -> None:
    """Another text, another label; the id stays."""
    delivery_id = _made(office)
    before = _url(office, delivery_id)

    after = _rewrite(office, delivery_id, f"<a href='{SHOP}'>see</a>")

    assert (before.id, "look", "see") == (after.id, before.label, after.label)


def test_an_author_who_changes_his_mind_is_heard(office: PostOffice) -> None:
    """An opt-out attribute that is new or gone wins over what was chosen before it."""
    delivery_id = _made(office)
    set_url(office, delivery_id, _url(office, delivery_id).id, mode=TrackingMode.NOT_TRACKED)

    added = _rewrite(office, delivery_id, f"<a href='{SHOP}' _type='optOut'>look</a>")
    set_url(office, delivery_id, added.id, mode=TrackingMode.MIRROR)
    kept = _rewrite(office, delivery_id, f"<a href='{SHOP}' _type='optOut'>look!</a>")
    removed = _rewrite(office, delivery_id, HTML)

    assert (TrackingMode.OPT_OUT, UrlType.OPT_OUT) == (added.mode, added.type)
    assert (TrackingMode.MIRROR, UrlType.MIRROR_PAGE) == (kept.mode, kept.type)
    assert (TrackingMode.ENABLED, UrlType.EMAIL_CLICK) == (removed.mode, removed.type)


@pytest.mark.parametrize("mode", OFF)
def test_switching_the_html_off_switches_the_text_off(
    office: PostOffice, mode: TrackingMode
) -> None:
    """The same URL in the text follows; another one does not."""
    delivery_id = _made(office, text=f"{TEXT} https://shop.example/chairs")

    set_url(office, delivery_id, _url(office, delivery_id).id, mode=mode)

    html, text, other = list_urls(office, delivery_id)
    assert [mode, mode, TrackingMode.ENABLED] == [html.mode, text.mode, other.mode]


def test_a_text_is_not_switched_on_while_the_html_is_off(office: PostOffice) -> None:
    """It is refused with a sentence, nothing changes, and both together may be switched on."""
    delivery_id = _made(office, text=TEXT)
    html, text = list_urls(office, delivery_id)
    set_url(office, delivery_id, html.id, mode=TrackingMode.NOT_TRACKED)

    with pytest.raises(InvalidInput, match=f"{SHOP} is not tracked in the HTML"):
        set_url(office, delivery_id, text.id, mode=TrackingMode.ALWAYS)
    assert _memory(office) is None
    assert TrackingMode.NOT_TRACKED is _url(office, delivery_id, Part.TEXT).mode
    both = set_urls(office, delivery_id, [text.id, html.id], mode=TrackingMode.ENABLED)

    assert [text.id, html.id] == [url.id for url in both]
    assert [TrackingMode.ENABLED] * 2 == [url.mode for url in list_urls(office, delivery_id)]


def test_a_text_alone_may_be_off(office: PostOffice) -> None:
    """The HTML does not follow the text."""
    delivery_id = _made(office, text=TEXT)

    text = _url(office, delivery_id, Part.TEXT).id
    set_url(office, delivery_id, text, mode=TrackingMode.NOT_TRACKED)
    analyse(office, delivery_id)

    html, text_url = list_urls(office, delivery_id)
    assert (TrackingMode.ENABLED, TrackingMode.NOT_TRACKED) == (html.mode, text_url.mode)


def test_a_text_that_comes_later_is_off_when_the_html_is(office: PostOffice) -> None:
    """The rule holds for links that did not exist when the HTML was switched off."""
    delivery_id = _made(office)
    set_url(office, delivery_id, _url(office, delivery_id).id, mode=TrackingMode.NOT_TRACKED)

    change_properties(office, delivery_id, Properties(text=TEXT))

    assert TrackingMode.NOT_TRACKED is _url(office, delivery_id, Part.TEXT).mode


def test_a_branch_of_links_is_switched_at_once(office: PostOffice) -> None:
    """All or none: an id that is no link of the delivery changes nothing."""
    html = "".join(f"<a href='https://shop.example/{name}'>{name}</a>" for name in "abc")
    delivery_id = _made(office, html)
    ids = [url.id for url in list_urls(office, delivery_id)]

    with pytest.raises(NotFound):
        set_urls(office, delivery_id, [*ids, UrlId(999)], mode=TrackingMode.NEVER)
    assert {TrackingMode.ENABLED} == {url.mode for url in list_urls(office, delivery_id)}
    set_urls(office, delivery_id, ids[:2], mode=TrackingMode.NEVER, category="shop")

    listed = list_urls(office, delivery_id)
    never, enabled = TrackingMode.NEVER, TrackingMode.ENABLED
    assert [never, never, enabled] == [url.mode for url in listed]
    assert ["shop", "shop", ""] == [url.category for url in listed]


def test_a_text_that_is_named_too_gets_the_category(office: PostOffice) -> None:
    """Following the HTML takes nothing away of what was asked for the text itself."""
    delivery_id = _made(office, text=TEXT)
    ids = [url.id for url in list_urls(office, delivery_id)]

    set_urls(office, delivery_id, ids, mode=TrackingMode.NEVER, category="shop")

    assert ["shop", "shop"] == [url.category for url in list_urls(office, delivery_id)]


def test_categories_are_added_by_use(office: PostOffice) -> None:
    """A category that nobody used before stands in the list from then on."""
    delivery_id = _made(office)

    set_url(office, delivery_id, _url(office, delivery_id).id, category="lamps & shades")

    with office.database.read() as connection:
        assert "lamps & shades" == enumerations.values(connection, URL_CATEGORY)[-1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"label": "x" * 256}, "label has more than 255"),
        ({"category": "x" * 101}, "category has more than 100"),
        ({"category": "a\nb"}, "category has line ends"),
    ],
)
def test_names_that_are_none_are_refused(
    office: PostOffice, change: dict[str, str], why: str
) -> None:
    """Labels and categories have one line and an end."""
    delivery_id = _made(office)

    with pytest.raises(InvalidInput, match=why):
        set_url(office, delivery_id, _url(office, delivery_id).id, **change)  # type: ignore[arg-type]
