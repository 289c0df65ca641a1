"""What may be chosen of a delivery, and changed until it is sent.

How long links lead to their destinations, how long pages of the message are shown and where expired
links lead may be changed at any time: an offer may be ended or prolonged while people have the
message in their hands.

Source: spec §1.3, §3.4, §3.8, §3.11, §4.3.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from aftersend.content import Preparation, Source, compile_message
from aftersend.content.formula import read_formula
from aftersend.database import deliveries
from aftersend.delivery import rules
from aftersend.delivery.links import look_for_urls
from aftersend.delivery.office import PostOffice, unknown_brand
from aftersend.delivery.prepare import preparation_of
from aftersend.delivery.publish import Missed, amend
from aftersend.delivery.resources import check_object
from aftersend.errors import InvalidCatalogue, InvalidInput
from aftersend.model import catalogue
from aftersend.model.catalogue import Catalogue
from aftersend.model.enumeration import DeliveryState, MirrorMode, PixelPlace
from aftersend.model.ids import DeliveryId

__all__ = ["Properties", "apply", "change_properties", "check"]

FORMULA_LENGTH_MAX: Final = 100_000
VARIABLE_LENGTH_MAX: Final = 10_000
_NAME_LENGTH_MAX: Final = 100
_SECONDS_MAX: Final = 100 * 365 * 86_400

_ALWAYS_OPEN: Final = frozenset(("validity_s", "resources_s", "substitution_url"))
_CONTENT: Final = frozenset(("html", "text", "variables", "objects"))
_FORMULAS: Final = ("click_formula", "open_formula", "link_parameters")
# Links of our own pages begin with the addresses of the brand.
_EXPANDED: Final = _CONTENT | {"subject", "label", "brand"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """What is to be changed of a delivery; None leaves it as it is.

    `validity_s` and `resources_s` count from the contact date, 0 is for ever. `variables` and
    `objects` are added to those there are, by name. An empty part is not sent; an empty brand is
    that of the instance.
    """

    label: str | None = None
    sender: str | None = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    is_tracked: bool | None = None
    is_open_tracked: bool | None = None
    validity_s: int | None = None
    resources_s: int | None = None
    substitution_url: str | None = None
    pixel: PixelPlace | None = None
    brand: str | None = None
    mirror_mode: MirrorMode | None = None
    click_formula: str | None = None
    open_formula: str | None = None
    link_parameters: str | None = None
    variables: Mapping[str, str] | None = None
    objects: Mapping[str, Any] | None = None


def change_properties(
    office: PostOffice, delivery_id: DeliveryId, properties: Properties
) -> Sequence[Missed]:
    """Change a delivery; one that was analysed has to be analysed again.

    Of a delivery that is being sent or was, only how long its links and pages last may be changed,
    and where they lead afterwards. Its catalogue is published again: those tracking servers are
    given that could not take it now; they get it with the next run of the Tracking workflow.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: a value cannot be used, it is too late to change it, or it is deleted.
        Corruption: the catalogue of a delivery that was sent is missing or damaged.
    """
    check(properties)
    names = _chosen(properties).keys()
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        rules.must_be_there(delivery)
        is_editable = delivery.state in rules.EDITABLE
        if not is_editable and (names - _ALWAYS_OPEN or delivery.state is DeliveryState.DELETED):
            raise InvalidInput(
                f"Delivery {delivery_id} is {delivery.state.label.lower()}: only how long its links"
                " and pages last, and where they lead afterwards, can still be changed."
            )
        apply(connection, office, delivery_id, properties)
        if not names:
            return ()
        deliveries.change(connection, delivery_id, modified_at=office.clock.now())
        if is_editable:
            deliveries.change(connection, delivery_id, state=DeliveryState.BEING_EDITED)
    if is_editable:
        if names & _EXPANDED:
            look_for_urls(office, delivery_id)
        return ()
    return amend(office, delivery_id).missed


def check(properties: Properties) -> None:
    """Look whether every value can be used.

    Raises:
        InvalidInput: one cannot; the sentence says what to write instead.
    """
    if properties.label is not None:
        rules.check_label(properties.label)
    if properties.sender is not None:
        rules.check_sender(properties.sender)
    if properties.subject is not None:
        rules.check_subject(properties.subject)
    for seconds in (properties.validity_s, properties.resources_s):
        if seconds is not None and not 0 <= seconds <= _SECONDS_MAX:
            raise InvalidInput("A validity is 0, which is for ever, or up to 100 years.")
    if properties.substitution_url:
        _check_substitution(properties.substitution_url.strip())
    for name in _FORMULAS:
        _check_length(name, getattr(properties, name))
    for name, value in (properties.variables or {}).items():
        _check_name("variable", name)
        if len(value) > VARIABLE_LENGTH_MAX:
            raise InvalidInput(
                f"The variable {name} has more than {VARIABLE_LENGTH_MAX:,} characters."
            )
    for name, document in (properties.objects or {}).items():
        _check_name("object", name)
        check_object(name, document)


def apply(
    connection: Connection, office: PostOffice, delivery_id: DeliveryId, properties: Properties
) -> None:
    """Store properties that were checked.

    Raises:
        InvalidInput: the message would be empty or too large, there is no such brand, or a formula
            is not understood.
    """
    chosen = _chosen(properties)
    if properties.brand and properties.brand not in office.brands:
        raise InvalidInput(unknown_brand(properties.brand, office.brands))
    for name in ("label", "sender", "subject", "substitution_url"):
        if name in chosen:
            chosen[name] = chosen[name].strip()
    content = {name: value for name, value in chosen.items() if name in _CONTENT}
    values = {name: value for name, value in chosen.items() if name not in _CONTENT}
    if values:
        deliveries.change(connection, delivery_id, **values)
    if not chosen.keys().isdisjoint(_FORMULAS):
        changed = deliveries.get(connection, delivery_id)
        _try_formulas(office, preparation_of(connection, office, changed))
    if chosen.keys() & _EXPANDED:
        before = deliveries.texts(connection, delivery_id)
        rules.check_content(content.get("html", before.html), content.get("text", before.text))
        for name in ("variables", "objects"):
            if name in content:
                content[name] = {**getattr(before, name), **content[name]}
        deliveries.change_content(connection, delivery_id, **content)


def _try_formulas(office: PostOffice, preparation: Preparation) -> None:
    """Prepare a message with nothing but a link."""
    # Link parameters may count on the URLs of the content: only those tell whether they fail.
    read_formula("link parameters", preparation.link_parameters)
    compile_message(
        Source("", html="<a href='https://www.example.com/'>…</a>"),
        delivery_id=DeliveryId(1),
        addresses=office.addresses,
        preparation=replace(preparation, link_parameters=""),
    )


def _chosen(properties: Properties) -> dict[str, Any]:
    values = {each.name: getattr(properties, each.name) for each in fields(properties)}
    return {name: value for name, value in values.items() if value is not None}


def _check_substitution(url: str) -> None:
    """Refuse what a tracking server would refuse, by asking the reader of catalogues."""
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    try:
        catalogue.decode(catalogue.encode(Catalogue(DeliveryId(1), moment, substitution_url=url)))
    except (InvalidCatalogue, UnicodeEncodeError) as error:
        raise InvalidInput(
            f"{url[:200]!r} is no address that people can be sent to: write one like"
            " https://www.example.com/over."
        ) from error


def _check_length(name: str, text: str | None) -> None:
    if text is not None and len(text) > FORMULA_LENGTH_MAX:
        words = name.replace("_", " ")
        raise InvalidInput(f"The {words} has more than {FORMULA_LENGTH_MAX:,} characters.")


def _check_name(kind: str, name: str) -> None:
    if not rules.short(f"name of the {kind}", name, _NAME_LENGTH_MAX):
        raise InvalidInput(f"The {kind} has no name: write it as name=….")
