"""The properties of a delivery: tracking and images, how long things last, formulas.

Source: spec §1.3, §3.4, §3.8, §3.11.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template

from aftersend.database import deliveries
from aftersend.database.deliveries import Delivery
from aftersend.delivery import properties
from aftersend.delivery.properties import Properties
from aftersend.delivery.rules import EDITABLE
from aftersend.errors import InvalidInput, NotFound
from aftersend.model.enumeration import MirrorMode, PixelPlace
from aftersend.model.ids import DeliveryId
from aftersend.reports.scope import as_of
from aftersend.web.listing import Id
from aftersend.web.login import Form
from aftersend.web.services import Given, Services
from aftersend.web.template import page

__all__ = ["HANDLERS", "split"]

UNITS: Final = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_DIGITS_MAX: Final = 12

_PLACES: Final = {
    PixelPlace.BOTTOM: "At the end of the message",
    PixelPlace.TOP: "At the beginning of the message",
    PixelPlace.PLACEHOLDER: "Where <%@ include view='OpenPixel' %> stands",
}
_DURATIONS: Final = ("validity_s", "resources_s")
_SWITCHES: Final = ("is_tracked", "is_open_tracked")
_FORMULAS: Final = ("click_formula", "open_formula", "link_parameters")
_TEXTS: Final = ("substitution_url", *_FORMULAS)
_NO_NUMBER: Final = "Write a whole number, 0 for ever."


@get("/deliveries/{delivery_id:int}/properties", sync_to_thread=True)
def show_properties(
    request: Request[Any, Any, Any],
    services: Given[Services],
    delivery_id: Id,
    saved: FromQuery[str] = "",
) -> Template:
    """Show what may be chosen of a delivery."""
    delivery = _delivery(services, delivery_id)
    return _draw(request, services, delivery, _fields(delivery), is_saved=saved == "yes")


@post("/deliveries/{delivery_id:int}/properties", sync_to_thread=True)
def change_properties(
    request: Request[Any, Any, Any], data: Form, services: Given[Services], delivery_id: Id
) -> Response[Any]:
    """Change what differs from what there is."""
    delivery = _delivery(services, delivery_id)
    typed = {**_fields(delivery), **dict.fromkeys(_sent_switches(delivery), ""), **data}
    changes, problems = _read(delivery, typed)
    if problems:
        return _draw(request, services, delivery, typed, problems=problems)
    try:
        missed = properties.change_properties(services.office, delivery.id, Properties(**changes))
    except NotFound:
        raise
    except InvalidInput as error:
        return _draw(request, services, delivery, typed, problems={"": str(error)})
    if missed:
        late = " ".join(
            f"Tracking server {each.server_id} does not know it yet: {each.reason}."
            for each in missed
        )
        delivery = _delivery(services, delivery_id)
        return _draw(request, services, delivery, _fields(delivery), is_saved=True, late=late)
    return Redirect(f"/deliveries/{delivery.id}/properties?saved=yes", status_code=303)


HANDLERS: Final = (show_properties, change_properties)


def split(seconds: int) -> tuple[int, str]:
    """Spell a duration in its largest whole unit.

    >>> split(0), split(172_800), split(5_400), split(61)
    ((0, 'days'), (2, 'days'), (90, 'minutes'), (61, 'seconds'))
    """
    unit = next(name for name, size in UNITS.items() if seconds % size == 0)
    return seconds // UNITS[unit], unit


def _delivery(services: Services, delivery_id: int) -> Delivery:
    with services.database.read() as connection:
        return deliveries.get(connection, DeliveryId(delivery_id))


def _sent_switches(delivery: Delivery) -> tuple[str, ...]:
    # A box that is not ticked is not sent; where it cannot be ticked it keeps what it was.
    return _SWITCHES if delivery.state in EDITABLE else ()


def _fields(delivery: Delivery) -> dict[str, str]:
    """Spell the properties of a delivery for the form."""
    fields = {name: getattr(delivery, name) for name in _TEXTS}
    fields |= {name: "yes" if getattr(delivery, name) else "" for name in _SWITCHES}
    fields |= {"pixel": delivery.pixel.value, "mirror_mode": delivery.mirror_mode.value}
    fields["brand"] = delivery.brand
    for name in _DURATIONS:
        value, unit = split(getattr(delivery, name))
        fields |= {name: str(value), f"{name}_unit": unit}
    return fields


def _read(delivery: Delivery, typed: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give what was changed, and what is wrong with it by field."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in (*_DURATIONS, *_SWITCHES, *_TEXTS, "pixel", "mirror_mode", "brand"):
        try:
            value = _value(name, typed)
            properties.check(Properties(**{name: value}))
        except InvalidInput as error:
            problems[name] = str(error)
            continue
        if value != getattr(delivery, name):
            values[name] = value
    return values, problems


def _value(name: str, typed: Mapping[str, str]) -> Any:
    text = typed[name]
    if name in _SWITCHES:
        return bool(text)
    if name == "pixel":
        return _member(PixelPlace, text)
    if name == "mirror_mode":
        return _member(MirrorMode, text)
    if name not in _DURATIONS:
        # Browsers send the line ends of their fields as CR LF.
        return text.replace("\r\n", "\n").strip()
    digits = text.strip()
    size = UNITS.get(typed[f"{name}_unit"])
    if size is None or not (digits.isascii() and digits.isdigit()) or len(digits) > _DIGITS_MAX:
        raise InvalidInput(_NO_NUMBER)
    return int(digits) * size


def _member(kind: type[PixelPlace] | type[MirrorMode], text: str) -> PixelPlace | MirrorMode:
    try:
        return kind(text)
    except ValueError as error:
        raise InvalidInput("Choose one of the list.") from error


def _brands(services: Services, delivery: Delivery) -> list[tuple[str, str]]:
    """List what the delivery may be sent as, with the host that its links lead to."""
    office = services.office
    named = {name: urlsplit(one.redirect).netloc for name, one in office.brands.items()}
    if delivery.brand and delivery.brand not in named:
        named[delivery.brand] = "not in the settings any more"
    usual = urlsplit(office.addresses.redirect).netloc
    return [
        ("", f"Of the instance ({usual})"),
        *((k, f"{k} ({host})") for k, host in named.items()),
    ]


def _draw(
    request: Request[Any, Any, Any],
    services: Services,
    delivery: Delivery,
    fields: Mapping[str, str],
    *,
    problems: Mapping[str, str] | None = None,
    is_saved: bool = False,
    late: str = "",
) -> Template:
    with services.database.read() as connection:
        fresh = as_of(connection, ())
    template = page(
        request,
        "delivery_properties.html",
        delivery=delivery,
        tab="properties",
        as_of=fresh,
        fields=fields,
        problems=problems or {},
        is_saved=is_saved,
        late=late,
        is_editable=delivery.state in EDITABLE,
        is_expert=any(fields[name] or name in (problems or {}) for name in _FORMULAS),
        units=tuple(UNITS),
        brands=_brands(services, delivery),
        places=[(place.value, text) for place, text in _PLACES.items()],
        mirrors=[(mode.value, mode.label) for mode in MirrorMode],
    )
    if problems:
        template.status_code = 422
    return template
