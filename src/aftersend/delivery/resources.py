"""What the instructions of a delivery may name: blocks, options, objects, pages and files.

Objects are documents that were loaded with the delivery, see `content.document`, and two that are
always there::

    <delivery id="7" internalName="DM7" label="News" sender="A &lt;a@b.example>" subject="Hello">
      <variables>
        <var name="season" stringValue="spring"/>
      </variables>
    </delivery>
    <provider name="b.example"/>

`provider` says in whose name the messages are sent: the domain of their ids.

Source: spec §3.2, §1.3 (variables).
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from lxml import etree
from sqlalchemy import Connection

from aftersend.content.document import NAME, Element, Object, read_document
from aftersend.content.instruction import SCRIPT_MARKS, CustomBlock, Resources
from aftersend.database import blocks, deliveries, options
from aftersend.database.deliveries import Delivery
from aftersend.delivery import address
from aftersend.delivery.fetch import fetch, read_below
from aftersend.delivery.office import PostOffice
from aftersend.errors import InvalidContent, InvalidInput

__all__ = ["check_object", "read_object", "resources_of", "shared_resources"]

DOCUMENT_LENGTH_MAX: Final = 5_000_000
_TAKEN: Final = frozenset(("delivery", "provider", *SCRIPT_MARKS))


def resources_of(connection: Connection, office: PostOffice, delivery: Delivery) -> Resources:
    """Give what the instructions of a delivery may name.

    Raises:
        InvalidContent: a variable or an object of the delivery cannot be read.
    """
    texts = deliveries.texts(connection, delivery.id)
    objects: dict[str, Object] = {}
    try:
        for name, document in texts.objects.items():
            objects[name] = read_document(name, document)
        objects["delivery"] = _delivery(delivery, texts.variables)
    except ValueError as error:  # also ours, which is one
        raise InvalidContent(f"The objects of the delivery cannot be read: {error}") from error
    domain = office.message_id_domain or address.domain_of(address.read_sender(delivery.sender)[1])
    objects["provider"] = etree.Element("provider", name=domain)
    return shared_resources(connection, office, objects)


def shared_resources(
    connection: Connection, office: PostOffice, objects: Mapping[str, Object]
) -> Resources:
    """Give what the instructions of all deliveries may name, together with some objects."""
    settings = office.content
    return Resources(
        blocks={each.name: CustomBlock(each.html, each.text) for each in blocks.every(connection)},
        options=options.every(connection),
        objects=objects,
        fetch=partial(
            fetch,
            hosts=settings.include_hosts,
            seconds_max=settings.include_seconds_max,
            bytes_max=settings.include_bytes_max,
        ),
        read=partial(read_below, office.include, bytes_max=settings.include_bytes_max),
    )


def check_object(name: str, document: object) -> None:
    """Refuse what could not be an object of a delivery.

    Raises:
        InvalidInput: the name is taken or none, or the document is none.
    """
    if name in _TAKEN:
        raise InvalidInput(f"{name!r} is always an object of its own: take another name.")
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:60]!r} cannot name an object: begin with a letter, go on with letters,"
            " digits, _, - and . alone."
        )
    read_document(name, document)


def read_object(path: Path) -> Any:
    """Read a document from a file: `.json`, or `.xml`, which is kept as its text.

    Numbers are kept as they are written: a price of 12.50 stays one.

    Raises:
        InvalidInput: it cannot be read; the sentence says why.
    """
    kind = path.suffix.lower()
    if kind not in (".json", ".xml"):
        raise InvalidInput(f"{path} is neither JSON nor XML: name it so, .json or .xml.")
    try:
        with path.open("rb") as file:
            data = file.read(4 * DOCUMENT_LENGTH_MAX + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8: save it as UTF-8.") from error
    if len(text) > DOCUMENT_LENGTH_MAX:
        raise InvalidInput(f"{path} has more than {DOCUMENT_LENGTH_MAX:,} characters.")
    try:
        document = text if kind == ".xml" else _parse_json(text)
        read_document("object", document)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error
    return document


def _parse_json(text: str) -> Any:
    try:
        document = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"This is not JSON: {error}.") from error
    if isinstance(document, str):
        raise InvalidInput("A document is an object or a list, not a single value.")
    return document


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _delivery(delivery: Delivery, variables: Mapping[str, str]) -> Element:
    element = etree.Element(
        "delivery",
        id=str(delivery.id),
        internalName=delivery.internal_name,
        label=delivery.label,
        sender=delivery.sender,
        subject=delivery.subject,
    )
    holder = etree.SubElement(element, "variables")
    for name, value in variables.items():
        etree.SubElement(holder, "var", name=name, stringValue=value)
    return element
