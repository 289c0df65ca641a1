"""The web copy of a message for its recipient.

The HTML is the author's, byte for byte: search engines are told to stay away by a header alone,
and what a header cannot forbid is locked in by its sandbox.
"""

from typing import Any, Final

from litestar import MediaType, Response, get, head
from litestar.params import FromPath

from aftersend.database import deliveries, messages
from aftersend.delivery.mirror import mirror_page
from aftersend.errors import InvalidContent, InvalidToken, NotFound
from aftersend.model.enumeration import DeliveryKind
from aftersend.model.ids import MessageId
from aftersend.web.public.answer import nothing, probe, recipient_message
from aftersend.web.security import MIRROR_POLICY
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS", "message_page"]

_NOTHING: Final = (
    "This message cannot be shown",
    "The link is incomplete, or the message is gone. Open the link in the message once more.",
)
_PROOF: Final = (
    "Not in proofs",
    "The mirror page is inactive in proofs. It works in the delivery itself.",
)


@get("/m/{token:str}", sync_to_thread=True)
def show_mirror(services: Given[Services], token: FromPath[str]) -> Response[Any]:
    """Show the web copy of a message; its links are tracked, looking at it is no open."""
    return _mirror(services, token)


@head("/m/{token:str}", sync_to_thread=True)
def probe_mirror(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    return probe(_mirror(services, token))


HANDLERS: Final = (show_mirror, probe_mirror)


def message_page(html: str) -> Response[str]:
    """Show the HTML of a message, which we do not trust."""
    return Response(
        html, media_type=MediaType.HTML, headers={"Content-Security-Policy": MIRROR_POLICY}
    )


def _mirror(services: Services, token: str) -> Response[Any]:
    try:
        message_id = recipient_message(services, token)
        if _is_proof(services, message_id):
            return nothing(_PROOF)
        return message_page(mirror_page(services.office, message_id))
    except (InvalidToken, NotFound, InvalidContent):
        return nothing(_NOTHING)


def _is_proof(services: Services, message_id: MessageId) -> bool:
    with services.database.read() as connection:
        message = messages.by_id(connection, message_id)
        return deliveries.get(connection, message.delivery_id).kind is DeliveryKind.PROOF
