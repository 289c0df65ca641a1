"""Personalisation blocks: ready pieces of a message, written `<%@ include view='…' %>`.

They are expanded before links are detected, so the links they bring are tracked like any other.

| block | HTML | text |
|---|---|---|
| MirrorPage | a link to the web copy of the message | a sentence with its address |
| MirrorPageUrl | the bare address of the web copy | the same |
| UnsubscriptionLink | a link to the unsubscription form | a sentence with its address |

The address ends with the token of the message: whoever opens the page needs no other identity.

Source: spec §3.2, §3.11, §3.12.
"""

from collections.abc import Mapping

from aftersend.content.expression import Block, MessageToken
from aftersend.content.message import Addresses
from aftersend.model.enumeration import Part

__all__ = ["blocks", "mirror_base", "opt_out_base"]


def mirror_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of a mirror page."""
    return f"{addresses.app}/m/"


def opt_out_base(addresses: Addresses) -> str:
    """Give what stands before the token in the address of an unsubscription form."""
    return f"{addresses.app}/u/"


def blocks(part: Part, addresses: Addresses) -> Mapping[str, Block]:
    """Give the blocks of a part by name."""
    token = MessageToken()
    mirror, opt_out = mirror_base(addresses), opt_out_base(addresses)
    bare = Block((mirror, token))
    if part is Part.HTML:
        return {
            "MirrorPage": Block(
                (f'<a href="{mirror}', token, '">View this message in your browser</a>')
            ),
            "MirrorPageUrl": bare,
            "UnsubscriptionLink": Block((f'<a href="{opt_out}', token, '">Unsubscribe</a>')),
        }
    return {
        "MirrorPage": Block(("View this message in your browser: ", mirror, token)),
        "MirrorPageUrl": bare,
        "UnsubscriptionLink": Block(("Unsubscribe: ", opt_out, token)),
    }
