"""The tracking test: a delivery sent to one address, and everything in it tried out.

What a person would do by hand is done here: a copy of the delivery goes through the real mail
server; every link and page of its message is asked for; the Tracking workflow runs; the hits must
have arrived. The copy goes to a seed address, so they stand in its logs and are counted nowhere.

Asked are our own tracking server and our own pages alone, by GET, which changes nothing there; no
redirect to anybody else is followed. What is wrong becomes a row of the report, with what to do.

Source: spec §6.5.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Final, TypeAlias

import httpx

from aftersend.content import Addresses, Template
from aftersend.database import deliveries, messages, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.messages import Message
from aftersend.database.seeds import Seed
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.analyse import analyse
from aftersend.delivery.copy import copy_delivery, discard_unsent
from aftersend.delivery.create import seed_address
from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.mirror import mirror_page
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import make_press, template_of
from aftersend.delivery.rules import LABEL_LENGTH_MAX
from aftersend.delivery.send import send
from aftersend.delivery.visit import Answer, Visitor, make_client
from aftersend.errors import AftersendError, InvalidInput, InvalidToken
from aftersend.model.catalogue import location
from aftersend.model.enumeration import DeliveryKind, MessageStatus, UrlType
from aftersend.model.ids import OPEN_URL_ID, DeliveryId
from aftersend.model.token import Token, decode

__all__ = ["Collect", "Report", "Row", "run_tracking_test"]

Collect: TypeAlias = Callable[[DeliveryId], Iterable[UrlType]]
"""Runs the Tracking workflow and gives the types of all hits of a delivery."""

_PAGES: Final = {
    "m": "Mirror page",
    "u": "Unsubscription page",
    "p": "Preferences page",
    "s": "Shared page",
}
_START_COLLECTOR: Final = "start the tracking server, or mend collector.external_url"
_START_APP: Final = "start the app with `aftersend serve`, or mend web.external_url"
_NO_CATALOGUE: Final = (
    "404, the tracking server does not know the link: `aftersend workflow run tracking` brings it"
    " what it missed"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was tried."""

    what: str
    url: str
    expected: str
    got: str
    is_ok: bool


@dataclass(frozen=True, slots=True)
class Report:
    """What the test found; `delivery_id` is the copy that was sent."""

    delivery_id: DeliveryId
    rows: Sequence[Row]

    @property
    def is_ok(self) -> bool:
        """Tell whether everything is as it should be."""
        return all(row.is_ok for row in self.rows)


@dataclass(slots=True)
class _Walk:
    """A message on its way through our servers; `hits` counts what must show in the logs."""

    office: PostOffice
    addresses: Addresses
    visitor: Visitor
    delivery: Delivery
    template: Template
    links: Sequence[TrackedUrl]
    message: Message
    letter: EmailMessage
    hits: Counter[UrlType] = field(default_factory=Counter)


def run_tracking_test(
    office: PostOffice,
    server: MailServer,
    delivery_id: DeliveryId,
    *,
    email: str,
    collect: Collect,
    client: httpx.Client | None = None,
) -> Report:
    """Send a copy of a delivery to one address and try out its links, pages and logs.

    Fields that the address lacks are those of the first recipient.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: the address cannot be used, the delivery is a copy itself or deleted, or its
            content has an error.
        InvalidSettings: the mail server refuses our log-in.
        Transient: no tracking server knows the links, or the mail server takes no mail now.
    """
    address = seed_address(email)
    copy_id = _send(office, server, delivery_id, address)
    with office.database.read() as connection:
        addresses = office.addresses_of(deliveries.get(connection, copy_id))
    todo = {f"{addresses.redirect}/": _START_COLLECTOR, f"{addresses.app}/": _START_APP}
    with client or make_client() as asking:
        walk = _begin(office, copy_id, address, Visitor(asking, todo))
        rows = [*_of_message(walk), *_of_links(walk), *_of_pages(walk)]
    rows += _of_logs(walk, collect)
    return Report(copy_id, rows)


def _send(
    office: PostOffice, server: MailServer, delivery_id: DeliveryId, address: str
) -> DeliveryId:
    with office.database.write() as connection:
        original = deliveries.get(connection, delivery_id, is_held=True)
        copy_id = copy_delivery(
            connection,
            office,
            original,
            kind=DeliveryKind.TRACKING_TEST,
            label=f"[Tracking test] {original.label}"[:LABEL_LENGTH_MAX],
            subject=f"Tracking test: {original.subject}",
            seeds=[Seed(address)],
        )
    try:
        error = analyse(office, copy_id).error
        if error is not None:
            raise InvalidInput(f"Delivery {delivery_id} cannot be tested: {error.text}")
        send(office, server, copy_id)
    except AftersendError:
        discard_unsent(office, copy_id)
        raise
    return copy_id


def _begin(office: PostOffice, copy_id: DeliveryId, address: str, visitor: Visitor) -> _Walk:
    """Print the message once more: a message has the same links however often it is printed."""
    with office.database.read() as connection:
        delivery = deliveries.get(connection, copy_id)
        template = template_of(connection, office, delivery)
        message = messages.of_address(connection, copy_id, address)
        (addressee,) = messages.addressees(connection, [message.id])
        press = make_press(connection, office, delivery, template)
        links = urls.of_delivery(connection, copy_id)
    data = press.letter(addressee, at=message.event_at).data
    letter = message_from_bytes(data, policy=policy.default)
    assert isinstance(letter, EmailMessage), "the policy makes these"
    return _Walk(
        office, office.addresses_of(delivery), visitor, delivery, template, links, message, letter
    )


def _of_message(walk: _Walk) -> Iterator[Row]:
    message, delivery = walk.message, walk.delivery
    is_sent = message.status is MessageStatus.SENT
    got = "sent" if is_sent else f"{message.status.label}: {message.failure_text}".lower()
    yield Row("Message", message.address, "sent", got, is_sent)
    reason = "" if delivery.is_tracked else "off: switch it on with --tracking"
    reason = reason or walk.template.untracked_reason
    yield Row("Tracking", "", "on", reason or "on", not reason)
    header = str(walk.letter["List-Unsubscribe"] or "")
    is_ours = f"<{walk.addresses.app}/u/" in header
    yield Row("List-Unsubscribe", header, "an address of ours", header or "missing", is_ours)


def _of_links(walk: _Walk) -> Iterator[Row]:
    """Try every tracked link that stands in the message, and tell of those that do not."""
    tokens = _tokens(walk)
    for text, token in tokens.items():
        if token.url_id == OPEN_URL_ID:
            yield _pixel(walk, text)
        elif token.url_id in walk.template.urls and not _is_honeypot(walk, token):
            yield _link(walk, text, token)
    sent = {token.url_id for token in tokens.values()}
    if OPEN_URL_ID not in sent:
        yield Row("Open", "", "-", "the message has no pixel: opens cannot be seen", is_ok=True)
    for link in walk.links:
        if link.id not in sent:
            yield _unsent(link)
        elif not link.mode.is_tracked:
            yield Row("Link", link.source, "not tracked", "tracked", is_ok=False)


def _is_honeypot(walk: _Walk, token: Token) -> bool:
    """Tell whether it is the hidden link: who follows that is a machine, whatever else he did."""
    return walk.template.urls[token.url_id].type is UrlType.HONEYPOT


def _tokens(walk: _Walk) -> dict[str, Token]:
    """Read the tokens of the message in the order of their places, each once."""
    pattern = re.compile(rf"{re.escape(walk.addresses.redirect)}/r/([a-z2-7]+)")
    tokens: dict[str, Token] = {}
    for text in (match[1] for body in _bodies(walk) for match in pattern.finditer(body)):
        with suppress(InvalidToken):  # an author may write anything that looks like one
            tokens[text] = decode(text, keys=walk.office.keys)
    return tokens


def _bodies(walk: _Walk) -> Iterator[str]:
    for kind in ("html", "plain"):
        body = walk.letter.get_body((kind,))
        if isinstance(body, EmailMessage):
            yield str(body.get_content())


def _pixel(walk: _Walk, text: str) -> Row:
    url = f"{walk.addresses.redirect}/r/{text}.gif"
    answer = walk.visitor.get(url)
    is_ok = answer.status == 200 and answer.media_type.startswith("image/")
    walk.hits[UrlType.OPEN] += is_ok
    return Row(UrlType.OPEN.label, url, "200 image/gif", answer.words, is_ok)


def _link(walk: _Walk, text: str, token: Token) -> Row:
    destination = walk.template.urls[token.url_id]
    expected = location(destination, token.values, text)
    url = f"{walk.addresses.redirect}/r/{text}"
    answer = walk.visitor.get(url)
    walk.hits[destination.type] += answer.is_redirect
    got = _NO_CATALOGUE if answer.status == 404 else answer.words
    is_ok = answer.is_redirect and answer.location == expected
    return Row(destination.type.label, url, expected, got, is_ok)


def _unsent(link: TrackedUrl) -> Row:
    if not link.mode.is_tracked:
        return Row("Link", link.source, "not tracked", "not tracked", is_ok=True)
    # A condition of the content or of a formula may keep it from this recipient.
    got = "not in the message to this address"
    return Row("Link", link.source, "tracked", got, is_ok=True)


def _of_pages(walk: _Walk) -> Iterator[Row]:
    """Ask for the pages of ours that the message leads to."""
    base = f"{walk.addresses.app}/"
    for url in dict.fromkeys(_page_addresses(walk)):
        kind = url.removeprefix(base)[0]
        answer = walk.visitor.page(url, within=base)
        if kind == "m":
            yield _mirror(walk, url, answer)
        else:
            yield Row(_PAGES[kind], url, "200 text/html", answer.words, answer.status == 200)


def _page_addresses(walk: _Walk) -> Iterator[str]:
    base = re.escape(walk.addresses.app)
    pattern = re.compile(rf"{base}/[{''.join(_PAGES)}]/[a-z2-7]+")
    for text, token in _tokens(walk).items():
        destination = walk.template.urls.get(token.url_id)
        if destination is not None and destination.pieces:
            yield from pattern.findall(location(destination, token.values, text))
    for text in (str(walk.letter["List-Unsubscribe"]), *_bodies(walk)):
        yield from pattern.findall(text)


def _mirror(walk: _Walk, url: str, answer: Answer) -> Row:
    try:
        page = mirror_page(walk.office, walk.message.id)
    except AftersendError as error:
        return Row(_PAGES["m"], url, "200, with this message", f"{answer.words}: {error}", False)
    is_it = answer.text == page
    got = "200, with this message" if is_it else f"{answer.words}, another page"
    if answer.status != 200:
        got, is_it = answer.words, False
    return Row(_PAGES["m"], url, "200, with this message", got, is_it)


def _of_logs(walk: _Walk, collect: Collect) -> Iterator[Row]:
    """Look whether what was answered has arrived; others may have opened the message, too."""
    if not walk.hits.total():
        yield Row("Logs", "", "hits", "no link was answered: mend the rows above first", False)
        return
    try:
        arrived = Counter(collect(walk.delivery.id))
    except AftersendError as error:
        yield Row("Tracking workflow", "", "finished", str(error), is_ok=False)
        return
    for kind, number in sorted(walk.hits.items()):
        if number:
            got = arrived[kind]
            yield Row(f"Logs: {kind.label}", "", str(number), str(got), got >= number)
