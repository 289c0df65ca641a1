"""Pages for recipients: unsubscription and mirror page. No log-in, no cookies, no scripts.

A token proves that somebody holds the message; one that we did not sign opens nothing. Looking,
by GET or HEAD, changes nothing: mail scanners look at every link. A POST acts at once, whether a
person pressed the button or a mail client did (RFC 8058), and as often as it comes.

Source: spec §3.11, §3.12; RFC 8058.
"""

from typing import Any, Final

from litestar import MediaType, Response, get, head, post
from litestar.params import FromPath
from litestar.response import Template

from aftersend.database import deliveries, messages
from aftersend.delivery.address import read_sender
from aftersend.delivery.render import mirror_page
from aftersend.delivery.unsubscribe import unsubscribe
from aftersend.errors import InvalidContent, InvalidInput, InvalidToken, NotFound
from aftersend.model.ids import MessageId
from aftersend.model.token import decode
from aftersend.web.display import mask_address
from aftersend.web.security import MIRROR_POLICY
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS"]

_NO_UNSUBSCRIPTION: Final = (
    "This link does not work",
    "It is incomplete, or the message is gone. Open the link in the message once more, or reply to"
    " the message and ask its sender to take you off the list.",
)
_NO_MIRROR: Final = (
    "This message cannot be shown",
    "The link is incomplete, or the message is gone. Open the link in the message once more.",
)


@get("/u/{token:str}", sync_to_thread=True)
def show_unsubscription(services: Given[Services], token: FromPath[str]) -> Template:
    """Ask whether somebody really wants to unsubscribe; change nothing."""
    return _unsubscription(services, token, is_done=False)


@head("/u/{token:str}", sync_to_thread=True)
def probe_unsubscription(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    return _headers(_unsubscription(services, token, is_done=False).status_code or 200)


@post("/u/{token:str}", sync_to_thread=True, status_code=200)
def do_unsubscribe(services: Given[Services], token: FromPath[str]) -> Template:
    """Unsubscribe; doing it again changes nothing and says the same."""
    try:
        unsubscribe(services.database, _message_of(services, token), clock=services.clock)
    except (InvalidToken, NotFound):
        return _nothing(_NO_UNSUBSCRIPTION)
    return _unsubscription(services, token, is_done=True)


@get("/m/{token:str}", sync_to_thread=True)
def show_mirror(services: Given[Services], token: FromPath[str]) -> Response[Any]:
    """Show the web copy of a message; its links are tracked, looking at it is no open."""
    try:
        html = mirror_page(services.office, _message_of(services, token))
    except (InvalidToken, NotFound, InvalidContent):
        return _nothing(_NO_MIRROR)
    return Response(
        html, media_type=MediaType.HTML, headers={"Content-Security-Policy": MIRROR_POLICY}
    )


@head("/m/{token:str}", sync_to_thread=True)
def probe_mirror(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    try:
        mirror_page(services.office, _message_of(services, token))
    except (InvalidToken, NotFound, InvalidContent):
        return _headers(404)
    return _headers(200)


HANDLERS: Final = (
    show_unsubscription,
    probe_unsubscription,
    do_unsubscribe,
    show_mirror,
    probe_mirror,
)


def _message_of(services: Services, token: str) -> MessageId:
    return decode(token, keys=services.keys).message_id


def _unsubscription(services: Services, token: str, *, is_done: bool) -> Template:
    try:
        message_id = _message_of(services, token)
        with services.database.read() as connection:
            message = messages.by_id(connection, message_id)
            delivery = deliveries.get(connection, message.delivery_id)
    except (InvalidToken, NotFound):
        return _nothing(_NO_UNSUBSCRIPTION)
    context = {
        "token": token,
        "address": mask_address(message.address),
        "sender": _sender_name(delivery.sender),
        "is_done": is_done,
    }
    return Template("unsubscription.html", context=context)


def _nothing(words: tuple[str, str]) -> Template:
    title, text = words
    return Template("nothing.html", context={"title": title, "text": text}, status_code=404)


def _sender_name(sender: str) -> str:
    try:
        name, address = read_sender(sender)
    except InvalidInput:
        return sender
    return name or address


def _headers(status_code: int) -> Response[None]:
    return Response(None, status_code=status_code, media_type=MediaType.HTML)
