"""Documents as elements: what an XPath can be asked of.

A document of JSON becomes elements by four rules. This one, loaded as `shop`::

    {"name": "Pier 3", "owner": {"city": "Hull"}, "tags": ["new", "sale"],
     "lamp": [{"price": "12.50"}, {"price": "30"}]}

is read as::

    <shop name="Pier 3">
      <owner city="Hull"/>
      <tags>new</tags> <tags>sale</tags>
      <lamp price="12.50"/> <lamp price="30"/>
    </shop>

1. a text, a number, true or false is an attribute, `@name`; null is left out;
2. an object is a child with its name;
3. a list is one child with its name for each item; a text in it is the child's text;
4. a document that is a list is several elements, each with the name of the document.

A document that is one text is XML, and gives the elements it says.

Source: spec §3.2 names elements and XPath; the rules for JSON are ours.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from lxml import etree

from aftersend.errors import InvalidInput

__all__ = ["NAME", "Element", "Object", "read_document"]

DEPTH_MAX: Final = 50
NAME: Final = re.compile(r"[A-Za-z_][\w.\-]*")

_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*\?>")

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml has no other name for it
Object: TypeAlias = Element | Sequence[Element]
"""A document: one element, or several when it is a list."""


def read_document(name: str, document: object) -> Object:
    """Read a document of JSON, or of XML as one text, that is known by `name`.

    Raises:
        InvalidInput: it cannot be read as elements; the sentence says why.

    >>> lamps = read_document("lamp", [{"price": 12.5}, {"price": 30}])
    >>> [etree.tostring(lamp) for lamp in lamps]
    [b'<lamp price="12.5"/>', b'<lamp price="30"/>']
    """
    if isinstance(document, str):
        return _parse(document)
    if isinstance(document, list):
        return tuple(_element(name, item, 0) for item in document)
    if isinstance(document, dict):
        return _element(name, document, 0)
    raise InvalidInput("A document is an object or a list, not a single value.")


def _parse(text: str) -> Element:
    # A document type could name other files, or entities that grow without end.
    if "<!DOCTYPE" in text:
        raise InvalidInput("The XML has a document type: leave <!DOCTYPE …> out.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(_DECLARATION.sub("", text, count=1), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidInput(f"The XML cannot be read: {error}.") from error


def _element(name: str, content: object, depth: int) -> Element:
    if depth > DEPTH_MAX:
        raise InvalidInput(f"The document is nested more than {DEPTH_MAX} deep.")
    if isinstance(content, list):
        raise InvalidInput(f"{name!r} has a list inside a list: give the inner one a name.")
    try:
        element = etree.Element(_checked(name))
        if isinstance(content, dict):
            _fill(element, content, depth)
        elif content is not None:
            element.text = _spell(content)
    except InvalidInput:
        raise
    except ValueError as error:
        raise InvalidInput(f"{name!r} holds a character that no document may hold.") from error
    return element


def _fill(element: Element, content: Mapping[str, Any], depth: int) -> None:
    for key, value in content.items():
        if isinstance(value, list):
            element.extend([_element(key, item, depth + 1) for item in value])
        elif isinstance(value, dict):
            element.append(_element(key, value, depth + 1))
        elif value is not None:
            element.set(_checked(key), _spell(value))


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:60]!r} cannot name an element: begin with a letter, go on with letters,"
            " digits, _, - and . alone."
        )
    return name


def _spell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
