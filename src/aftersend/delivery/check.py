"""What an analysis looks at before anything is sent: the typology (spec §3.10).

Each check is a function of the prepared delivery; `CHECKS` is the list of them. An error stops the
delivery, a warning and an information do not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aftersend.content import Template
from aftersend.database.deliveries import Check, Delivery
from aftersend.database.messages import Addressee
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.press import FIELDS, values_of
from aftersend.errors import InvalidContent
from aftersend.model.enumeration import Part, Severity, UrlType
from aftersend.model.token import KeyRing

__all__ = ["CHECKS", "HTML_BYTES_MAX", "Prepared", "content_error", "target_error"]

HTML_BYTES_MAX: Final = 102 * 1024
"""Gmail shows no more of a message and hides the rest, the pixel included."""

_PART_NAMES: Final = {Part.HTML: "HTML", Part.TEXT: "text"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """An analysed delivery; `sample` are some of its recipients, maybe none."""

    delivery: Delivery
    template: Template
    urls: Sequence[TrackedUrl]
    sample: Sequence[Addressee]
    keys: KeyRing


def content_error(error: InvalidContent) -> Check:
    """Say that the content cannot be prepared."""
    return Check(Severity.ERROR, "content", str(error))


def target_error() -> Check:
    """Say that nobody would get the message."""
    return Check(Severity.ERROR, "target", "There is nobody to send to.")


def _subject(prepared: Prepared) -> Iterator[Check]:
    if not prepared.delivery.subject.strip():
        yield Check(Severity.ERROR, "subject", "The subject is empty: write one.")


def _url_labels(prepared: Prepared) -> Iterator[Check]:
    for url in prepared.urls:
        if url.mode.is_tracked and not url.label.strip():
            yield Check(
                Severity.WARNING,
                "url-label",
                f"The link {url.source} has no label: reports will show it without a name.",
            )


def _unsubscription(prepared: Prepared) -> Iterator[Check]:
    for part in prepared.template.parts:
        if not any(url.part is part and url.type is UrlType.OPT_OUT for url in prepared.urls):
            yield Check(
                Severity.WARNING,
                "unsubscription-link",
                f"The {_PART_NAMES[part]} part has no link to unsubscribe: add the block"
                " <%@ include view='UnsubscriptionLink' %> or set a link to opt-out.",
            )


def _parts(prepared: Prepared) -> Iterator[Check]:
    if not prepared.template.has_text:
        yield Check(
            Severity.INFO,
            "text-part",
            "There is no text part: some filters and readers prefer mail that has one.",
        )


def _fields(prepared: Prepared) -> Iterator[Check]:
    if not prepared.sample:
        return
    known = FIELDS.union(*(person.fields for person in prepared.sample))
    for name in sorted(prepared.template.fields - known):
        yield Check(
            Severity.WARNING,
            "personalisation",
            f"The field recipient.{name} is empty for everybody we looked at: is it misspelt?",
        )


def _size(prepared: Prepared) -> Iterator[Check]:
    for person in prepared.sample[:1]:
        try:
            rendered = prepared.template.render(
                values_of(person), message_id=person.id, keys=prepared.keys
            )
        except InvalidContent:
            return  # of this recipient alone: the send tells
        size = len((rendered.html or "").encode())
        if size > HTML_BYTES_MAX:
            yield Check(
                Severity.WARNING,
                "size",
                f"The HTML has {size // 1024} KB: Gmail cuts it after 102 KB and then neither shows"
                " the rest nor tells of opens.",
            )


CHECKS: Final[Sequence[Callable[[Prepared], Iterator[Check]]]] = (
    _subject,
    _url_labels,
    _unsubscription,
    _parts,
    _fields,
    _size,
)
