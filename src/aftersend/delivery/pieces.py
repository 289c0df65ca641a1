"""What messages share: custom blocks and options, looked at when they are set.

A mistake is told to who makes it, with the place in what he gives, and not days later to the next
author who includes it. What a block names of a delivery (objects, the things of a loop) is unknown
then and taken as empty; pages are not asked for.

Messages that were analysed keep what they have of a block or an option.

Source: spec §3.2, §2.3, §3.8.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from lxml import etree
from sqlalchemy import Connection

from aftersend.content import Preparation, Source, compile_message
from aftersend.content.block import blocks as built_in_blocks
from aftersend.content.document import Object
from aftersend.content.expression import read_passage
from aftersend.content.formula import read_formula
from aftersend.content.instruction import (
    CustomBlock,
    Resources,
    built_in_views,
    expand,
    expand_text,
)
from aftersend.database import blocks, options
from aftersend.delivery.office import PostOffice
from aftersend.delivery.resources import shared_resources
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import Part, PixelPlace
from aftersend.model.ids import DeliveryId

__all__ = ["set_block", "set_option"]

_SAMPLE: Final = Source("-", html='<a href="https://shop.example/lamps?id=1">Lamps</a>')
_DELIVERY: Final = {"id": 0, "internalName": "", "label": "", "subject": "", "FCP": False}


def set_block(
    office: PostOffice, name: str, *, html: str | None = None, text: str | None = None
) -> None:
    """Keep a custom block; a part that is None stays as it is, or is empty in a new block.

    Raises:
        InvalidInput: the name is taken, or the content cannot be read; the sentence says where.
    """
    if name in built_in_views():
        raise InvalidInput(f"{name} is a block of its own: take another name.")
    with office.database.write() as connection:
        known = {each.name: each for each in blocks.every(connection)}
        before = known.get(name)
        new = CustomBlock(
            html=html if html is not None else before.html if before else "",
            text=text if text is not None else before.text if before else "",
        )
        blocks.put(connection, name, html=new.html, text=new.text, at=office.clock.now())
        _check_block(connection, office, new)


def set_option(office: PostOffice, name: str, value: str) -> None:
    """Set an option; one that is a formula has to be understood.

    Raises:
        InvalidInput: the name or value is none, or the formula has a mistake; the sentence says
            where.
    """
    with office.database.write() as connection:
        options.put(connection, name, value)
        for formula, option in options.FORMULAS.items():
            if option == name:
                _check_formula(connection, office, formula, value)


def _check_block(connection: Connection, office: PostOffice, block: CustomBlock) -> None:
    resources = _stand_in(connection, office)
    parts = expand(Source("-", html=block.html, text=block.text), resources)
    for part, written in ((Part.HTML, parts.html), (Part.TEXT, parts.text)):
        assert written is not None, "a part that comes in comes out"
        views = built_in_blocks(part, office.addresses)
        read_passage("html" if part is Part.HTML else "text", written, blocks=views)


def _check_formula(connection: Connection, office: PostOffice, name: str, value: str) -> None:
    """Prepare a small message with the formula, which compiles it."""
    title = name.replace("_", " ")
    formula = expand_text(title, value, Resources(options=options.every(connection)))
    if read_formula(title, formula) is None:
        return
    preparation = Preparation(
        pairs=office.content.delimiter_pairs,
        pixel=PixelPlace.BOTTOM,
        delivery=_DELIVERY,
        seconds_max=office.content.script_seconds_max,
        memory_bytes_max=office.content.script_memory_bytes_max,
        **{name: formula},
    )
    compile_message(
        _SAMPLE, delivery_id=DeliveryId(1), addresses=office.addresses, preparation=preparation
    )


def _stand_in(connection: Connection, office: PostOffice) -> Resources:
    """Give the resources of a delivery that has every object, and finds nothing in it."""
    objects: Mapping[str, Object] = defaultdict(lambda: etree.Element("unknown"))
    return replace(shared_resources(connection, office, objects), fetch=lambda _url: "")
