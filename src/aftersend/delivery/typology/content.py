"""What may be wrong with the message itself."""

import re
from collections.abc import Iterator
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery.press import FIELDS
from aftersend.delivery.typology.prepared import PART_NAMES, Prepared
from aftersend.delivery.typology.rule import finding
from aftersend.model.enumeration import UrlType

__all__ = ["CHECKS", "HTML_BYTES_CUT", "HTML_BYTES_MAX"]

HTML_BYTES_MAX: Final = 60 * 1024
"""What is larger is slow to read on a phone, and near to being cut."""

HTML_BYTES_CUT: Final = 102 * 1024
"""Gmail shows no more of a message and hides the rest, the pixel included."""

_FOREIGN: Final = re.compile(r"\{\{[^{}\n]{1,60}\}\}|\*\|[\w:. ]{1,60}\|\*|%%\w{1,60}%%|%\w+\.\w+%")
_CODE: Final = re.compile(r"<%.*?%>", re.DOTALL)


def _untracked(prepared: Prepared) -> Iterator[Check]:
    if prepared.template.untracked_reason:
        yield finding(
            "untracked",
            "The message would be sent as it is, without any tracking:"
            f" {prepared.template.untracked_reason}",
        )


def _unsubscription(prepared: Prepared) -> Iterator[Check]:
    urls = [link.url for link in prepared.links]
    for part in prepared.template.parts:
        if not any(url.part is part and url.type is UrlType.OPT_OUT for url in urls):
            yield finding(
                "unsubscription-link",
                f"The {PART_NAMES[part]} part has no link to unsubscribe: add the block"
                " <%@ include view='UnsubscriptionLink' %> or set a link to opt-out.",
            )


def _parts(prepared: Prepared) -> Iterator[Check]:
    if not prepared.template.has_text:
        yield finding(
            "text-part",
            "There is no text part: some filters and readers prefer mail that has one.",
        )


def _fields(prepared: Prepared) -> Iterator[Check]:
    if prepared.fields is None:
        return
    for name in sorted(prepared.template.fields - FIELDS - prepared.fields):
        yield finding(
            "personalisation",
            f"The field recipient.{name} is empty for everybody we looked at: is it misspelt?",
        )


def _placeholders(prepared: Prepared) -> Iterator[Check]:
    """Find what another product would fill; in addresses it is found with them."""
    source = prepared.source
    told = [each.text for each in prepared.lints if each.kind == "foreign-placeholder"]
    texts = (("subject", source.subject), ("HTML", source.html), ("text", source.text))
    for name, text in texts:
        for found in sorted({*_FOREIGN.findall(_CODE.sub("", text or ""))}):
            if not any(found in each for each in told):
                yield finding(
                    "foreign-placeholder",
                    f"The {name} has {found}, which nobody fills here, so people read it as it"
                    " stands: write <%= recipient.field %>.",
                )


def _renderings(prepared: Prepared) -> Iterator[Check]:
    failed = [each for each in prepared.renderings if each.problem]
    if not failed:
        return
    if len(failed) == len(prepared.renderings):
        yield finding(
            "rendering-all",
            f"The message cannot be written to anybody of the first {len(failed)}:"
            f" {failed[0].problem}",
        )
        return
    yield finding(
        "rendering",
        f"The message cannot be written to {len(failed)} of the first {len(prepared.renderings)}"
        f" people, who would not get it. {failed[0].address}: {failed[0].problem}",
    )


def _size(prepared: Prepared) -> Iterator[Check]:
    size = max((each.html_bytes for each in prepared.renderings), default=0)
    if size > HTML_BYTES_CUT:
        yield finding(
            "size",
            f"The HTML has {size // 1024} KB: Gmail cuts it after 102 KB and then neither shows"
            " the rest, the link to unsubscribe included, nor tells of opens. Shorten it.",
        )
    elif size > HTML_BYTES_MAX:
        yield finding(
            "size",
            f"The HTML has {size // 1024} KB: what has more than 60 KB loads slowly, and a mail"
            " program that forwards it may bring it over the 102 KB where Gmail cuts.",
        )


CHECKS: Final = (_untracked, _unsubscription, _parts, _fields, _placeholders, _renderings, _size)
