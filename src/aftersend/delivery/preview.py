"""A message as one recipient will see it, for the people who make it: it leads nowhere.

The preview is drawn of the content as it was prepared last, and analyses nothing. Links lead to
themselves, so that a click changes nothing and is counted nowhere; each bears the name of its row
in the list of links, and one of them may be marked.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from aftersend.content import Rendered, Source, Template, TrackedLink, compile_message, detect, lint
from aftersend.database import deliveries, delivery_logs, messages, recipients, urls
from aftersend.database.deliveries import Check, Delivery
from aftersend.database.messages import Addressee
from aftersend.database.recipients import Recipient
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import expand_now, make_press, preparation_of, source_of
from aftersend.delivery.press import values_of
from aftersend.delivery.rules import EDITABLE
from aftersend.delivery.typology import finding, judged
from aftersend.delivery.typology.links import ADVICE
from aftersend.delivery.typology.prepared import PART_NAMES
from aftersend.errors import InvalidContent, InvalidToken, NotFound
from aftersend.model.enumeration import EmailFormat, Part
from aftersend.model.ids import DeliveryId, MessageId, RecipientId, UrlId
from aftersend.model.token import KeyRing, decode

__all__ = [
    "Person",
    "Preview",
    "advice",
    "anchor",
    "draw_html",
    "draw_text",
    "find_person",
    "preview",
    "problem",
]

_MATCHES_MAX: Final = 10
_OURS: Final = r"(?P<token>[a-z2-7]{22,8192})"
# Nothing is tried twice: what is written in a hurry may lack a quote.
_TAG: Final = re.compile(
    r"<(?P<name>a|area|link|form)\b"
    r"(?:[^>\"']++|\"[^\"]{0,9000}+\"|'[^']{0,9000}+'){0,200}+>",
    re.IGNORECASE,
)
_TARGET: Final = re.compile(
    r"(?<=[\s\"'/])((?:xlink:)?href|action|ping)(?=\s*=(?!\s*[\"']?#))", re.IGNORECASE
)
_TEXT_LOOK: Final = (
    "<style>:root{color-scheme:light dark}pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    "font:13px/1.55 ui-monospace,monospace}a{color:inherit}</style>"
)
_NOBODY: Final = Addressee(
    id=MessageId(0),
    recipient_id=RecipientId(0),
    address="",
    is_text=False,
    is_seed=False,
    is_known=False,
    is_denylisted=False,
    first_name="",
    last_name="",
    format=EmailFormat.UNDEFINED,
    fields={},
)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose message is shown; `matches` are addresses to choose from when nobody is clearly meant.

    Without an `addressee` all fields are empty. Who is not in the target gets no message.
    """

    addressee: Addressee = _NOBODY
    is_in_target: bool = False
    matches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A message without its HTML, which has a page of its own."""

    subject: str
    text: str | None
    has_html: bool
    untracked_reason: str


def find_person(office: PostOffice, delivery_id: DeliveryId, wanted: str = "") -> Person:
    """Find whose message is meant: an address or a part of one; nothing is the first in the target.

    Raises:
        NotFound: there is no such delivery.
    """
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        wanted = wanted.strip()
        if not wanted:
            return _first(connection, delivery)
        with suppress(NotFound):
            return _exactly(connection, delivery, wanted)
        matches = _matching(connection, delivery, wanted)
        return (
            _exactly(connection, delivery, *matches)
            if len(matches) == 1
            else Person(matches=matches)
        )


def preview(office: PostOffice, delivery_id: DeliveryId, addressee: Addressee) -> Preview:
    """Write subject and text of a message as its author wrote the links.

    Raises:
        NotFound: there is no such delivery.
        InvalidContent: the content cannot be prepared, or not for this recipient.
    """
    source = _prepared(office, delivery_id)
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        template = _compile(connection, office, delivery, source, None)
        values = _values(connection, office, delivery, template, addressee)
    rendered = template.render(
        values, message_id=addressee.id, keys=office.keys, at=office.clock.now()
    )
    return Preview(
        subject=rendered.subject,
        text=rendered.text,
        has_html=template.has_html,
        untracked_reason=delivery.untracked_reason or template.untracked_reason,
    )


def advice(office: PostOffice, delivery_id: DeliveryId) -> Sequence[Check]:
    """Say what may be wrong with the links as an analysis would; nothing of a broken content.

    Raises:
        NotFound: there is no such delivery.
    """
    with suppress(InvalidContent):
        source = _prepared(office, delivery_id)
        with office.database.read() as connection:
            delivery = deliveries.get(connection, delivery_id)
            preparation = preparation_of(connection, office, delivery)
        addresses = office.addresses_of(delivery)
        lints = lint(source, addresses=addresses, preparation=preparation)
        found = [
            finding(ADVICE[each.kind], f"{PART_NAMES[each.part]} line {each.line}: {each.text}")
            for each in lints
            if each.kind in ADVICE
        ]
        return judged(found, office.checks)
    return ()


def problem(office: PostOffice, delivery_id: DeliveryId) -> str:
    """Say why a content cannot be prepared; nothing when it can.

    Raises:
        NotFound: there is no such delivery.
    """
    try:
        _prepared(office, delivery_id)
    except InvalidContent as error:
        return str(error)
    return ""


def draw_html(
    office: PostOffice,
    delivery_id: DeliveryId,
    addressee: Addressee,
    *,
    marked: UrlId | None = None,
    is_loading: bool = False,
) -> str:
    """Write the HTML of a message with links that lead nowhere; without any it is empty.

    `is_loading` keeps the style sheets of other hosts.

    Raises:
        NotFound: there is no such delivery.
        InvalidContent: the content cannot be prepared, or not for this recipient.
    """
    drawn = _draw(office, delivery_id, addressee)
    html = re.sub(
        rf"(?P<quote>[\"'])?(?P<space>\s{{0,20}}){re.escape(drawn.base)}{_OURS}",
        drawn.named,
        drawn.rendered.html or "",
    )
    html = _TAG.sub(lambda match: _unfollowed(match, is_loading=is_loading), html)
    return html + _mark(marked)


def draw_text(
    office: PostOffice,
    delivery_id: DeliveryId,
    addressee: Addressee,
    *,
    marked: UrlId | None = None,
) -> str:
    """Write the text of a message as a page, with the links as they stand in the list.

    Raises:
        NotFound: there is no such delivery.
        InvalidContent: the content cannot be prepared, or not for this recipient.
    """
    drawn = _draw(office, delivery_id, addressee)
    pieces, last, text = [], 0, drawn.rendered.text or ""
    for match in re.finditer(re.escape(drawn.base) + _OURS, text):
        row = drawn.row(match["token"])
        if row is None:
            continue
        url_id, source = row
        name = "" if url_id is None else f' href="#{anchor(url_id)}" name="{anchor(url_id)}"'
        pieces += [escape(text[last : match.start()]), f"<a{name}>{escape(source)}</a>"]
        last = match.end()
    body = "".join([*pieces, escape(text[last:])])
    return f"<!doctype html>{_TEXT_LOOK}<pre>{body}</pre>{_mark(marked)}"


def anchor(url_id: UrlId) -> str:
    """Name the places of a link in the HTML that `draw_html` writes."""
    return f"link-{url_id}"


def _prepared(office: PostOffice, delivery_id: DeliveryId) -> Source:
    """Give the content as it was prepared; one that never was is prepared now, or says why not."""
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        source = source_of(connection, delivery)
        try:
            _compile(connection, office, delivery, source, None)
        except InvalidContent:
            if delivery.state not in EDITABLE:
                raise
        else:
            return source
    source = expand_now(office, delivery_id).source
    with office.database.read() as connection:
        _compile(connection, office, delivery, source, None)
    return source


def _compile(
    connection: Connection,
    office: PostOffice,
    delivery: Delivery,
    source: Source,
    numbered: Mapping[tuple[Part, str], UrlId] | None,
) -> Template:
    preparation = preparation_of(connection, office, delivery)
    return compile_message(
        source,
        delivery_id=delivery.id,
        addresses=office.addresses_of(delivery),
        tracked={key: TrackedLink(number) for key, number in (numbered or {}).items()},
        is_tracked=numbered is not None,
        is_open_tracked=False,
        preparation=replace(preparation, click_formula="", open_formula=""),
    )


def _first(connection: Connection, delivery: Delivery) -> Person:
    for addressee in messages.first_addressees(connection, delivery.id, limit=1):
        return Person(addressee, is_in_target=True)
    if delivery.is_target_all:
        for recipient in recipients.page(connection, limit=1):
            return Person(_addressee(recipient), is_in_target=True)
        return Person()
    target = messages.candidates(connection, delivery.id, is_target_all=False)
    for candidate in chain.from_iterable(target):
        return Person(_addressee(recipients.by_id(connection, candidate.id)), is_in_target=True)
    return Person()


def _exactly(connection: Connection, delivery: Delivery, email: str) -> Person:
    with suppress(NotFound):
        message = messages.of_address(connection, delivery.id, email)
        (addressee,) = messages.addressees(connection, [message.id])
        return Person(addressee, is_in_target=True)
    return Person(_addressee(recipients.by_email(connection, email)))


def _matching(connection: Connection, delivery: Delivery, wanted: str) -> tuple[str, ...]:
    query = delivery_logs.Query(
        delivery_id=delivery.id, search=wanted, sort="address", limit=_MATCHES_MAX
    )
    sent = [entry.address for entry in delivery_logs.page(connection, query)]
    known = recipients.page(connection, search=wanted, limit=_MATCHES_MAX)
    return tuple(dict.fromkeys([*sent, *(each.email for each in known)]))[:_MATCHES_MAX]


def _addressee(recipient: Recipient) -> Addressee:
    return replace(
        _NOBODY,
        recipient_id=recipient.id,
        address=recipient.email,
        is_known=True,
        is_denylisted=recipient.is_denylisted,
        first_name=recipient.first_name,
        last_name=recipient.last_name,
        format=recipient.format,
        fields=recipient.fields,
    )


def _values(
    connection: Connection,
    office: PostOffice,
    delivery: Delivery,
    template: Template,
    addressee: Addressee,
) -> Mapping[str, object]:
    if not addressee.is_seed:
        return values_of(addressee)
    return make_press(connection, office, delivery, template).person(addressee)[1]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A message all of whose links are tracked by numbers of our own, and what the numbers mean."""

    rendered: Rendered
    base: str
    rows: Mapping[UrlId, tuple[UrlId | None, str]]
    keys: KeyRing

    def row(self, token: str) -> tuple[UrlId | None, str] | None:
        """Give the row and the address of a link; none when the token is not one of ours."""
        try:
            return self.rows.get(decode(token, keys=self.keys).url_id)
        except InvalidToken:
            return None

    def named(self, match: re.Match[str]) -> str:
        """Put the name of a row where an address stands, in the quotes of the author."""
        row = self.row(match["token"])
        if row is None:
            return match[0]
        url_id, source = row
        quote, name = match["quote"], "" if url_id is None else anchor(url_id)
        if not quote:
            return f"{match['space']}#{name}"
        # Attributes of the same name that follow are not heard.
        about = escape(source[:1000])
        return f"{quote}#{name}{quote} name={quote}{name}{quote} title={quote}{about}"


def _draw(office: PostOffice, delivery_id: DeliveryId, addressee: Addressee) -> _Drawn:
    source = _prepared(office, delivery_id)
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        preparation = preparation_of(connection, office, delivery)
        addresses = office.addresses_of(delivery)
        found = detect(source, addresses=addresses, preparation=preparation)
        numbers = {(link.part, link.source): UrlId(count) for count, link in enumerate(found, 2)}
        template = _compile(connection, office, delivery, source, numbers)
        values = _values(connection, office, delivery, template, addressee)
        ids = {(url.part, url.source): url.id for url in urls.of_delivery(connection, delivery_id)}
    rendered = template.render(
        values, message_id=addressee.id, keys=office.keys, at=office.clock.now()
    )
    rows = {number: (ids.get(key), key[1]) for key, number in numbers.items()}
    return _Drawn(rendered, f"{addresses.redirect}/r/", rows, office.keys)


def _unfollowed(match: re.Match[str], *, is_loading: bool) -> str:
    is_kept = is_loading and match["name"].lower() == "link"
    return match[0] if is_kept else _TARGET.sub(r"data-\1", match[0])


def _mark(marked: UrlId | None) -> str:
    if marked is None:
        return ""
    place = f'[href="#{anchor(marked)}"]'
    return (
        f"<style>{place},{place} *{{background:#ffe58f!important;color:#1b2230!important}}"
        f"{place}{{outline:3px solid #c05c00!important;outline-offset:3px!important;"
        "scroll-margin:6rem!important}</style>"
    )
