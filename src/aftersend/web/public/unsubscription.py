"""No more mail: a form for people, and one click for their mail clients (RFC 8058)."""

from typing import Final

from litestar import Response, get, head, post
from litestar.params import FromPath
from litestar.response import Template

from aftersend.delivery.preferences import find_subscriber
from aftersend.delivery.unsubscribe import unsubscribe
from aftersend.errors import InvalidToken, NotFound
from aftersend.web.display import mask_address
from aftersend.web.public.answer import (
    clean_token,
    nothing,
    probe,
    recipient_message,
    sender_name,
    show,
)
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS"]

_NOTHING: Final = (
    "This link does not work",
    "It is incomplete, or the message is gone. Open the link in the message once more, or reply to"
    " the message and ask its sender to take you off the list.",
)


@get("/u/{token:str}", sync_to_thread=True)
def show_unsubscription(services: Given[Services], token: FromPath[str]) -> Template:
    """Ask whether somebody really wants to unsubscribe; change nothing."""
    return _page(services, token, is_done=False)


@head("/u/{token:str}", sync_to_thread=True)
def probe_unsubscription(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    return probe(_page(services, token, is_done=False))


@post("/u/{token:str}", sync_to_thread=True, status_code=200)
def do_unsubscribe(services: Given[Services], token: FromPath[str]) -> Template:
    """Unsubscribe; doing it again changes nothing and says the same."""
    try:
        message_id = recipient_message(services, token)
        unsubscribe(services.database, message_id, clock=services.clock)
    except (InvalidToken, NotFound):
        return nothing(_NOTHING)
    return _page(services, token, is_done=True)


HANDLERS: Final = (show_unsubscription, probe_unsubscription, do_unsubscribe)


def _page(services: Services, token: str, *, is_done: bool) -> Template:
    try:
        message_id = recipient_message(services, token)
        with services.database.read() as connection:
            found = find_subscriber(connection, message_id)
    except (InvalidToken, NotFound):
        return nothing(_NOTHING)
    return show(
        "unsubscription.html",
        token=token,
        preferences="" if found.preferences is None else f"/p/{clean_token(services, token)}",
        address=mask_address(found.address),
        sender=sender_name(found.sender),
        is_done=is_done or (found.preferences is not None and not found.preferences.is_wanted),
        is_test=found.is_test,
    )
