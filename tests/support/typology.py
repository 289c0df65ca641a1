"""Deliveries as the rules of an analysis see them."""

from collections.abc import Sequence
from typing import Any

from aftersend.content import Addresses, Preparation, Source, compile_message, lint
from aftersend.database.deliveries import Delivery
from aftersend.database.public_addresses import PublicAddress
from aftersend.database.tracking_servers import TrackingServer
from aftersend.database.urls import TrackedUrl
from aftersend.delivery.typology import Link, Prepared, Rendering, run
from aftersend.model.enumeration import DeliveryState, Part, PixelPlace, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId
from tests.support.post_office import ADDRESSES, HTML, NOW, TEXT, VERIFIED

__all__ = ["link", "prepared", "told"]

ID = DeliveryId(5)
OPT_OUT = "https://shop.example/bye"


def link(
    source: str,
    *,
    part: Part = Part.HTML,
    kind: UrlType = UrlType.EMAIL_CLICK,
    mode: TrackingMode = TrackingMode.ENABLED,
    label: str = "look",
    text: str = "look",
    url_id: int = 2,
) -> Link:
    """Make a link."""
    url = TrackedUrl(UrlId(url_id), ID, part, source, kind, mode, label, "", 1)
    return Link(url, text, mode.is_tracked)


def prepared(
    *links: Link,
    source: Source | None = None,
    addresses: Addresses = ADDRESSES,
    pixel: PixelPlace = PixelPlace.BOTTOM,
    fields: frozenset[str] | None = None,
    renderings: Sequence[Rendering] = (),
    seed_count: int = 0,
    public_address: PublicAddress | None = VERIFIED,
    servers: Sequence[TrackingServer] = (),
    **changes: Any,
) -> Prepared:
    """Prepare a delivery with nothing wrong but what is asked for; both parts can be left."""
    source = source or Source("For <%= recipient.first_name %>", HTML, TEXT)
    delivery: dict[str, Any] = {
        "id": ID,
        "internal_name": "DM5",
        "label": "Lamps",
        "state": DeliveryState.BEING_EDITED,
        "sender": "Harbour & Pine <news@example.com>",
        "subject": source.subject,
        "is_tracked": True,
        "is_open_tracked": True,
        "is_target_all": True,
        "created_at": NOW,
        "modified_at": NOW,
        **dict.fromkeys(("to_deliver", "text_count", "rejected", "success", "error"), 0),
        **dict.fromkeys(("analysed_at", "contact_at", "ended_at")),
    }
    leave = [
        link(OPT_OUT, part=part, kind=UrlType.OPT_OUT, mode=TrackingMode.OPT_OUT, text="leave")
        for part in (Part.HTML, Part.TEXT)
    ]
    return Prepared(
        delivery=Delivery(**{**delivery, **changes}),
        source=source,
        template=compile_message(source, delivery_id=ID, addresses=addresses),
        addresses=addresses,
        links=[*links, *leave],
        lints=lint(source, addresses=addresses, preparation=Preparation(pixel=pixel)),
        fields=fields,
        renderings=renderings,
        seed_count=seed_count,
        proof_size_max=100,
        at=NOW,
        public_address=public_address,
        servers=servers,
    )


def told(delivery: Prepared, rule: str) -> list[str]:
    """Give what a rule says of a delivery."""
    return [check.text for check in run(delivery, {}) if check.rule == rule]
