"""Logging in and out, and the door in front of every page that is not public."""

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from litestar import Request, get, post
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import RequestEncodingType
from litestar.exceptions import NotAuthorizedException
from litestar.middleware.authentication import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
)
from litestar.params import Body, QueryParameter
from litestar.response import Redirect, Response, Template

from aftersend.database import operators
from aftersend.database.operators import Operator
from aftersend.errors import InvalidInput
from aftersend.platform.attempts import Attempts
from aftersend.platform.telemetry import logger
from aftersend.web.services import Given, Services
from aftersend.web.sessions import SessionStore
from aftersend.web.template import page

__all__ = ["COOKIE", "PRIVATE", "PUBLIC", "Door", "Form", "to_login"]

COOKIE: Final = "aftersend_session"

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]

_WRONG: Final = "This name and password do not fit together."
_TOO_OFTEN: Final = "Too many attempts. Wait a minute, then try again."


class Door(AbstractAuthenticationMiddleware):
    """Lets only logged-in operators pass; `request.user` is the operator."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Find the operator of the session cookie."""
        operator = await asyncio.to_thread(_find, connection)
        if operator is None:
            raise NotAuthorizedException
        return AuthenticationResult(user=operator, auth=None)


def to_login(request: Request[Any, Any, Any], _: Exception) -> Response[Any]:
    """Send whoever is not logged in to the log-in page, and back afterwards."""
    if request.headers.get("hx-request") == "true":
        here = urlsplit(request.headers.get("hx-current-url", "/"))
        login = _login_address(here.path, here.query)
        return Response("", status_code=401, headers={"HX-Redirect": login})
    if request.method not in ("GET", "HEAD"):
        return Redirect("/login")
    return Redirect(_login_address(request.url.path, request.url.query))


@get("/login", sync_to_thread=False)
def show_login(next_path: Annotated[str, QueryParameter(name="next")] = "/") -> Template:
    """Show the log-in form."""
    return _form(next_path)


@post("/login", sync_to_thread=True, status_code=200)
def log_in(
    request: Request[Any, Any, Any],
    data: Form,
    services: Given[Services],
    sessions: Given[SessionStore],
    attempts: Given[Attempts],
) -> Response[Any]:
    """Begin a session, or say why not."""
    client = request.client.host if request.client else ""
    name, next_path = data.get("name", "").strip(), data.get("next", "/")
    if not attempts.may_try(client):
        return _form(next_path, name=name, problem=_TOO_OFTEN, status_code=429)
    with services.database.read() as database:
        operator = operators.verify(database, name=name, password=data.get("password", ""))
    if operator is None:
        attempts.note_failure(client)
        logger("web").warning("log-in failed")
        return _form(next_path, name=name, problem=_WRONG, status_code=401)
    cookie = Cookie(
        key=COOKIE,
        value=sessions.open(operator),
        max_age=sessions.hours * 3600,
        httponly=True,
        samesite="lax",
        secure=services.addresses.app.startswith("https://"),
    )
    return Redirect(_inside(next_path), status_code=303, cookies=[cookie])


@post("/logout", sync_to_thread=True)
def log_out(request: Request[Any, Any, Any], sessions: Given[SessionStore]) -> Response[Any]:
    """End the session."""
    sessions.close(request.cookies.get(COOKIE, ""))
    response = Redirect("/login", status_code=303)
    response.delete_cookie(COOKIE)
    return response


@get("/account", sync_to_thread=False)
def show_account(request: Request[Any, Any, Any]) -> Template:
    """Show the form that changes the operator's password."""
    return page(request, "account.html", problem="", lengths=_LENGTHS)


@post("/account", sync_to_thread=True, status_code=200)
def change_password(
    request: Request[Operator, Any, Any],
    data: Form,
    services: Given[Services],
    sessions: Given[SessionStore],
    attempts: Given[Attempts],
) -> Response[Any]:
    """Change the operator's password; everybody logged in with the old one is logged out."""
    client = request.client.host if request.client else ""
    name, new = request.user.name, data.get("new", "")
    problem = _TOO_OFTEN if not attempts.may_try(client) else ""
    if not problem and new != data.get("again", ""):
        problem = "The two new passwords differ."
    if not problem:
        with services.database.read() as database:
            known = operators.verify(database, name=name, password=data.get("current", ""))
        if known is None:
            attempts.note_failure(client)
            problem = "The current password is wrong."
    if not problem:
        try:
            with services.database.write() as database:
                operators.change_password(database, name=name, password=new)
        except InvalidInput as error:
            problem = str(error)
    if problem:
        return page(request, "account.html", problem=problem, lengths=_LENGTHS)
    sessions.close(request.cookies.get(COOKIE, ""))
    return Redirect("/login", status_code=303)


PUBLIC: Final = (show_login, log_in)
PRIVATE: Final = (log_out, show_account, change_password)
_LENGTHS: Final = (operators.PASSWORD_LENGTH_MIN, operators.PASSWORD_LENGTH_MAX)


def _find(connection: ASGIConnection[Any, Any, Any, Any]) -> Operator | None:
    services: Services = connection.app.state.services
    sessions: SessionStore = connection.app.state.sessions
    session = sessions.find(connection.cookies.get(COOKIE, ""))
    if session is None:
        return None
    with services.database.read() as database:
        operator = operators.find(database, session.operator_id)
    return operator if operator is not None and operator.stamp == session.stamp else None


def _form(next_path: str, *, name: str = "", problem: str = "", status_code: int = 200) -> Template:
    context = {"next": _inside(next_path), "name": name, "problem": problem}
    return Template("login.html", context=context, status_code=status_code)


def _login_address(path: str, query: str) -> str:
    wanted = f"{path}?{query}" if query else path
    return "/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}"


def _inside(path: str) -> str:
    """Give `path` when it stays on this site; browsers take a backslash for a slash."""
    is_inside = path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
    return path if is_inside else "/"
