"""What may be wrong with how long links and pages last."""

from collections.abc import Iterator
from typing import Final

from aftersend.database.deliveries import Check
from aftersend.delivery.typology.prepared import Link, Prepared
from aftersend.delivery.typology.rule import finding
from aftersend.model.enumeration import DeliveryKind, MirrorMode, UrlType

__all__ = ["CHECKS"]

_DAY_S: Final = 86_400


def _short(prepared: Prepared) -> Iterator[Check]:
    if 0 < prepared.delivery.validity_s < _DAY_S:
        hours = prepared.delivery.validity_s / 3600
        yield finding(
            "validity",
            f"Links expire {hours:.3g} hours after sending has begun: many people read their mail"
            " later. Let them last for a day at least.",
        )


def _outlived(prepared: Prepared) -> Iterator[Check]:
    delivery = prepared.delivery
    is_shown = delivery.mirror_mode is not MirrorMode.NONE and (
        delivery.mirror_mode is not MirrorMode.IF_LINKED or bool(_mirror_links(prepared))
    )
    is_longer = delivery.resources_s == 0 or delivery.resources_s > delivery.validity_s
    if delivery.validity_s and is_longer and is_shown and not delivery.substitution_url:
        yield finding(
            "validity",
            "The mirror page is shown longer than its links last: who reads it late finds them"
            " expired. Let both end at once, or name a page for expired links.",
        )


def _substitution(prepared: Prepared) -> Iterator[Check]:
    if prepared.delivery.substitution_url and not prepared.delivery.validity_s:
        yield finding(
            "substitution",
            f"Expired links would lead to {prepared.delivery.substitution_url}, but links never"
            " expire: set how long they last.",
        )


def _mirror(prepared: Prepared) -> Iterator[Check]:
    delivery = prepared.delivery
    is_ours = any(prepared.is_own(link) for link in _mirror_links(prepared))
    if delivery.kind is not DeliveryKind.MAIN or not is_ours:
        return
    if not prepared.template.has_html:
        reason = "there is no HTML to show"
    elif delivery.mirror_mode in (MirrorMode.NONE, MirrorMode.BY_MESSAGE):
        reason = f"its mode is {delivery.mirror_mode.value}"
    else:
        return
    yield finding(
        "mirror-link",
        f"The message has a link to its mirror page, but {reason}: people would find nothing"
        " there.",
    )


def _mirror_links(prepared: Prepared) -> list[Link]:
    return [link for link in prepared.links if link.url.type is UrlType.MIRROR_PAGE]


CHECKS: Final = (_short, _outlived, _substitution, _mirror)
