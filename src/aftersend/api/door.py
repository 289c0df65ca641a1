"""The door in front of the API: a bearer token, and patience with those who guess."""

import asyncio
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, TooManyRequestsException
from litestar.middleware.authentication import (
    AbstractAuthenticationMiddleware,
    AuthenticationResult,
)

from aftersend.api.backing import Backing
from aftersend.database import api_tokens

__all__ = ["Door", "operator_of"]

_SCHEME: Final = "bearer "
_OPERATOR: Final = "api:{}"
"""How the audit trail names who asked."""


class Door(AbstractAuthenticationMiddleware):
    """Lets only known tokens pass; `request.user` is what the audit trail calls their holder."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """Find the token of the header ``Authorization``."""
        given = connection.headers.get("authorization", "")
        client = connection.client.host if connection.client else ""
        backing: Backing = connection.app.state.backing
        if not backing.attempts.may_try(client):
            raise TooManyRequestsException
        label = await asyncio.to_thread(operator_of, backing, given)
        if label is None:
            # Whoever brings no token at all guesses nothing.
            if given:
                backing.attempts.note_failure(client)
            raise NotAuthorizedException
        return AuthenticationResult(user=label, auth=None)


def operator_of(backing: Backing, header: str) -> str | None:
    """Tell whose token a header brings; none when it brings none that is known."""
    if not header.lower().startswith(_SCHEME):
        return None
    with backing.database.read() as connection:
        token = api_tokens.find(connection, header[len(_SCHEME) :].strip())
    if token is None:
        return None
    now = backing.clock.now()
    if api_tokens.is_use_due(token, now):
        with backing.database.write() as connection:
            api_tokens.note_use(connection, token, now)
    return _OPERATOR.format(token.label)
