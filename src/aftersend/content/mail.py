"""Tracking for people with a mailer of their own, whose messages are finished.

A finished message has no fields and no scripts: `<%` in it is text. Its links are rewritten in the
texts that people read (see `content.entity`), the pixel goes into the first HTML, everything else
stays byte for byte. If anything is in the way, the message comes back as it was, with the reason.

The links of a delivery are known one message after the other. So the id of a link is made of its
part, its type and its URL: it is the same in every message, thread and process and after a restart,
and catalogues of one delivery can be merged in any order. What is handed out has been published
before. The name of a link is the one it had first.

This suits messages that share their links. Where each recipient has links of his own the catalogue
grows with every message, up to `LINKS_MAX`: give those as values of a template instead, see
`compile_message`.

Source: contract "Python"; spec §3.7; architecture D2.
"""

import fcntl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from email.generator import BytesGenerator
from email.message import EmailMessage, Message
from email.parser import BytesParser
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, TypeAlias, TypeVar

from aftersend.content.block import mirror_base, opt_out_base, preferences_base, share_base
from aftersend.content.detection import detect
from aftersend.content.entity import InlineText, Splice, read_texts, splice
from aftersend.content.message import Addresses, FoundLink, Preparation, Source, TrackedLink
from aftersend.content.template import Template, compile_message
from aftersend.errors import AftersendError, InvalidInput
from aftersend.model import catalogue
from aftersend.model.catalogue import Catalogue, Destination
from aftersend.model.enumeration import Part, UrlType
from aftersend.model.ids import ID_MAX, OPEN_URL_ID, DeliveryId, MessageId, UrlId
from aftersend.model.token import KeyRing
from aftersend.platform.clock import Clock, SystemClock
from aftersend.platform.files import make_directory, write_atomic

__all__ = ["LINKS_MAX", "Publish", "TrackedMessage", "Tracker", "in_folder", "merge", "track"]

LINKS_MAX: Final = 5_000
"""How many different links the finished messages of one delivery may have."""

Publish: TypeAlias = Callable[[bytes, DeliveryId], object]
"""Brings the catalogue of a delivery to where tracking servers find it, or raises."""

M = TypeVar("M", bytes, EmailMessage, Message)


@dataclass(frozen=True, slots=True)
class TrackedMessage(Generic[M]):
    """What to send: the message with tracked links, or as it was when there is a reason."""

    message: M
    untracked_reason: str = ""


class Tracker:
    """Tracks the finished messages of one delivery; threads may share it.

    `publish` gets the whole catalogue whenever it has grown, before the message with the new link
    is handed out. It is called by one thread at a time. Other processes and earlier runs know other
    links of the delivery: `in_folder` merges them.
    """

    def __init__(
        self,
        *,
        delivery_id: DeliveryId,
        keys: KeyRing,
        addresses: Addresses,
        publish: Publish,
        preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
        has_honeypot: bool = False,
        clock: Clock | None = None,
    ) -> None:
        """Begin with no links; `has_honeypot` hides one in HTML that only machines follow.

        Raises:
            InvalidInput: the delivery has no number from 1.
        """
        _check_id("delivery", delivery_id)
        self._delivery_id, self._keys, self._addresses = delivery_id, keys, addresses
        self._publish, self._preparation = publish, preparation
        self._honeypot = _id_of(Part.HTML, UrlType.HONEYPOT, "") if has_honeypot else None
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._urls: Mapping[UrlId, Destination] = {}

    def track(self, message: M, *, message_id: MessageId) -> TrackedMessage[M]:
        """Give the message to send to one recipient; `message_id` names it in tokens and logs.

        It is of the type that was given; a message object is a new one. Whatever goes wrong, there
        is a message to send: the original, with `untracked_reason`.

        Raises:
            InvalidInput: `message_id` is no number from 1.
        """
        _check_id("message", message_id)
        try:
            before = message if isinstance(message, bytes) else _written(message)
            after = self._tracked(before, message_id)
        except Exception as error:  # noqa: BLE001 - mail goes out, whatever is odd about it
            return TrackedMessage(message, _reason(error))
        if isinstance(message, bytes):
            return TrackedMessage(after)
        return TrackedMessage(BytesParser(policy=message.policy).parsebytes(after))

    def _tracked(self, raw: bytes, message_id: MessageId) -> bytes:
        texts = [each for each in read_texts(raw) if each.content.strip()]
        if not texts:
            raise InvalidInput("There is no text in it that may be changed.")
        found = [self._detected(text) for text in texts]
        off = {link.source for links in found for link in links if _is_off(link)}
        html = next((text for text in texts if text.part is Part.HTML), None)
        urls: dict[UrlId, Destination] = {}
        splices: list[Splice] = []
        for text, links in zip(texts, found, strict=True):
            wanted = [link for link in links if link.source not in off and self._is_wanted(link)]
            template = self._compiled(text, wanted, is_first=text is html)
            rendered = template.render(
                {}, message_id=message_id, keys=self._keys, at=self._clock.now()
            )
            content = rendered.html if text.part is Part.HTML else rendered.text
            assert content is not None, "it has this part"
            splices += text.replaced(content)
            urls |= template.urls
        self._make_known(urls)
        return splice(raw, splices)

    def _detected(self, text: InlineText) -> tuple[FoundLink, ...]:
        return detect(_source(text), addresses=self._addresses, preparation=self._preparation)

    def _is_wanted(self, link: FoundLink) -> bool:
        """Tell whether a link is to be tracked: ours have a token already."""
        bases = (mirror_base, opt_out_base, preferences_base, share_base)
        every = self._addresses.every
        ours = (
            *(f"{one.redirect}/r/" for one in every),
            *(base(one) for one in every for base in bases),
        )
        return link.mode.is_tracked and not link.source.startswith(ours)

    def _compiled(
        self, text: InlineText, links: Iterable[FoundLink], *, is_first: bool
    ) -> Template:
        template = compile_message(
            _source(text),
            delivery_id=self._delivery_id,
            addresses=self._addresses,
            tracked={
                (link.part, link.source): TrackedLink(_url_id(link), link.type, link.label)
                for link in links
            },
            is_open_tracked=is_first,
            honeypot=self._honeypot if is_first else None,
            preparation=self._preparation,
        )
        if template.untracked_reason:
            raise InvalidInput(template.untracked_reason)
        return template

    def _make_known(self, urls: Mapping[UrlId, Destination]) -> None:
        """Publish links that are new, and only then count them as known."""
        if urls.keys() <= self._urls.keys():
            return
        with self._lock:
            known = {**urls, **self._urls}
            if len(known) > max(LINKS_MAX, len(self._urls)):
                raise InvalidInput(
                    f"The messages of delivery {self._delivery_id} have more than {LINKS_MAX:,}"
                    " different links: give what differs as values of a template."
                )
            if len(known) > len(self._urls):
                whole = Catalogue(self._delivery_id, self._clock.now(), known)
                self._publish(catalogue.encode(whole), self._delivery_id)
                self._urls = known


def track(
    message: M,
    *,
    delivery_id: DeliveryId,
    message_id: MessageId,
    keys: KeyRing,
    addresses: Addresses,
    publish: Publish,
    preparation: Preparation = Preparation(),  # noqa: B008 - it cannot change
) -> TrackedMessage[M]:
    """Track one finished message; see `Tracker`, which remembers what it has published.

    `publish` gets the links of this message alone: with `in_folder` they join those of the
    delivery.

    Raises:
        InvalidInput: an id is no number from 1.
    """
    tracker = Tracker(
        delivery_id=delivery_id,
        keys=keys,
        addresses=addresses,
        publish=publish,
        preparation=preparation,
    )
    return tracker.track(message, message_id=message_id)


def merge(published: bytes, added: bytes) -> bytes:
    """Bring two catalogues of one delivery together; what was published stays as it is.

    Raises:
        InvalidCatalogue: one cannot be read.
        InvalidInput: they are of different deliveries.
    """
    old, new = catalogue.decode(published), catalogue.decode(added)
    if old.delivery_id != new.delivery_id:
        raise InvalidInput(
            f"Delivery {old.delivery_id} cannot take the links of delivery {new.delivery_id}."
        )
    merged = replace(old, published_at=new.published_at, urls={**new.urls, **old.urls})
    return catalogue.encode(merged)


def in_folder(folder: Path, then: Publish = lambda _catalogue, _delivery_id: None) -> Publish:
    """Give a `publish` that adds links to the catalogue file of a folder.

    Processes on one machine may share the folder: one after the other reads, merges and writes.
    Before the next one may, the whole catalogue goes to `then`, which may bring it further. When
    that raises, the file has the new links all the same; they go along with the next ones.
    """

    def publish(added: bytes, delivery_id: DeliveryId) -> None:
        make_directory(folder)
        path = folder / catalogue.file_name(delivery_id)
        with (folder / f".{path.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            whole = merge(path.read_bytes(), added) if path.exists() else added
            write_atomic(path, whole)
            then(whole, delivery_id)

    return publish


def _source(text: InlineText) -> Source:
    html, plain = (text.content if text.part is part else None for part in (Part.HTML, Part.TEXT))
    return Source("", html, plain, is_literal=True)


def _is_off(link: FoundLink) -> bool:
    return link.part is Part.HTML and not link.mode.is_tracked


def _url_id(link: FoundLink) -> UrlId:
    return _id_of(link.part, link.type, link.source)


def _id_of(part: Part, kind: UrlType, source: str) -> UrlId:
    """Make the id of a link: 63 bits of a digest, so that two links never share one."""
    name = f"{part.value} {int(kind)} {source}"
    digest = blake2b(name.encode(), digest_size=8, person=b"aftersend-link").digest()
    return UrlId(max(int.from_bytes(digest, "big") & ID_MAX, OPEN_URL_ID + 1))


def _written(message: "Message[Any, Any]") -> bytes:
    file = BytesIO()
    BytesGenerator(file, mangle_from_=False, policy=message.policy).flatten(message)
    return file.getvalue()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, AftersendError) else f"{type(error).__name__}: {error}"


def _check_id(kind: str, number: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= ID_MAX:
        raise InvalidInput(f"The id of a {kind} is a whole number from 1, not {number!r}.")
