"""A message as recipients share it, and the ways to share it.

The recipient comes with his own token. He is led on to addresses that hold the token of nobody,
so that what he copies from his browser or posts says nothing of him.
"""

from typing import Any, Final
from urllib.parse import quote

from litestar import Response, get, head
from litestar.params import FromPath

from aftersend.delivery.mirror import nobodys_token
from aftersend.delivery.share import network_address, shared_page, sharing
from aftersend.errors import InvalidContent, NotFound
from aftersend.model.token import Token, decode
from aftersend.web.public.answer import probe, sender_name, show
from aftersend.web.public.mirror import message_page
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS"]

_BY_EMAIL: Final = "email"


@get("/s/{token:str}", sync_to_thread=True)
def show_shared(services: Given[Services], token: FromPath[str]) -> Response[Any]:
    """Show the message to anybody, with nothing of its recipient in it."""
    return _shared(services, token)


@head("/s/{token:str}", sync_to_thread=True)
def probe_shared(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    return probe(_shared(services, token))


@get("/s/{token:str}/{way:str}", sync_to_thread=True)
def share(services: Given[Services], token: FromPath[str], way: FromPath[str]) -> Response[Any]:
    """Help to share the message: by e-mail, or on the network whose name it is."""
    return _share(services, token, way)


@head("/s/{token:str}/{way:str}", sync_to_thread=True)
def probe_share(
    services: Given[Services], token: FromPath[str], way: FromPath[str]
) -> Response[None]:
    """Answer as GET does, without a body."""
    return probe(_share(services, token, way))


HANDLERS: Final = (show_shared, probe_shared, share, probe_share)


def _shared(services: Services, text: str) -> Response[Any]:
    token = decode(text, keys=services.keys)
    if token.message_id:
        return _to_nobody(services, token)
    return message_page(_readable(shared_page, services, token))


def _share(services: Services, text: str, way: str) -> Response[Any]:
    token = decode(text, keys=services.keys)
    if way != _BY_EMAIL:
        return _redirect(network_address(services.office, token.delivery_id, way))
    if token.message_id:
        return _to_nobody(services, token, f"/{_BY_EMAIL}")
    found = _readable(sharing, services, token)
    subject, body = (quote(text, safe="") for text in (found.subject, found.address))
    return show(
        "share_email.html",
        address=found.address,
        subject=found.subject,
        sender=sender_name(found.sender),
        mailto=f"mailto:?subject={subject}&body={body}",
    )


def _readable(read: Any, services: Services, token: Token) -> Any:
    """Take a message that cannot be written to nobody for one that is not there."""
    try:
        return read(services.office, token.delivery_id)
    except InvalidContent as error:
        raise NotFound("shared page of delivery", token.delivery_id) from error


def _to_nobody(services: Services, token: Token, behind: str = "") -> Response[Any]:
    return _redirect(f"/s/{nobodys_token(token.delivery_id, services.keys)}{behind}")


def _redirect(address: str) -> Response[None]:
    return Response(None, status_code=302, headers={"Location": address})
