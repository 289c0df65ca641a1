"""What a recipient wants: mail or none, and in which format."""

from typing import Annotated, Any, Final

from litestar import Response, get, head, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Template

from aftersend.delivery.preferences import (
    Preferences,
    Subscriber,
    change_preferences,
    find_subscriber,
)
from aftersend.errors import Gone, InvalidInput
from aftersend.web.display import mask_address
from aftersend.web.public.answer import nothing, probe, recipient_message, sender_name, show
from aftersend.web.services import Given, Services

__all__ = ["HANDLERS"]

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]

_FORMATS: Final = {"html": False, "text": True}
_ANSWERS: Final = {"yes": True, "no": False}
_GONE: Final = (
    "There is nothing to choose",
    "Your address is not kept any more, so nothing is sent to it.",
)


@get("/p/{token:str}", sync_to_thread=True)
def show_preferences(services: Given[Services], token: FromPath[str]) -> Template:
    """Show what the recipient chose; change nothing."""
    return _preferences(services, token)


@head("/p/{token:str}", sync_to_thread=True)
def probe_preferences(services: Given[Services], token: FromPath[str]) -> Response[None]:
    """Answer as GET does, without a body."""
    return probe(_preferences(services, token))


@post("/p/{token:str}", sync_to_thread=True, status_code=200)
def save_preferences(services: Given[Services], token: FromPath[str], data: Form) -> Template:
    """Keep what the recipient chose; the same once more changes nothing and says the same."""
    message_id = recipient_message(services, token)
    chosen = _read(data)
    try:
        found = change_preferences(services.database, message_id, chosen, clock=services.clock)
    except Gone:
        return nothing(_GONE, 410)
    return _form(token, found, is_saved=True)


HANDLERS: Final = (show_preferences, probe_preferences, save_preferences)


def _preferences(services: Services, token: str) -> Template:
    message_id = recipient_message(services, token)
    with services.database.read() as connection:
        found = find_subscriber(connection, message_id)
    return nothing(_GONE, 410) if found.preferences is None else _form(token, found)


def _form(token: str, found: Subscriber, *, is_saved: bool = False) -> Template:
    return show(
        "preferences.html",
        token=token,
        address=mask_address(found.address),
        sender=sender_name(found.sender),
        chosen=found.preferences,
        is_saved=is_saved,
        is_test=found.is_test,
    )


def _read(data: dict[str, Any]) -> Preferences:
    try:
        return Preferences(is_wanted=_ANSWERS[data["mail"]], is_text=_FORMATS[data["format"]])
    except (KeyError, TypeError) as error:
        raise InvalidInput("The form is incomplete.") from error
