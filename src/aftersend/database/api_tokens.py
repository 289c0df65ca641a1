"""Tokens of the API: who may ask without a browser.

Only the hash of a token is kept. A token has 256 random bits, so a quick hash is as good as a slow
one: nobody guesses what it was made of.
"""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from aftersend.database import audit
from aftersend.database.audit import AuditEntry
from aftersend.database.schema import api_token
from aftersend.errors import InvalidInput, NotFound
from aftersend.platform.entropy import Entropy

__all__ = ["LABEL_LENGTH_MAX", "PREFIX", "ApiToken", "create", "every", "find", "is_use_due"]
__all__ += ["note_use", "revoke"]

LABEL_LENGTH_MAX: Final = 90
"""Shorter than the column of operators, which has ``api:`` in front of it."""

PREFIX: Final = "aftersend_"
"""What tokens begin with, so that searches for leaked secrets find them."""

_ENTITY: Final = "api-token"
_USE_NOTED_EACH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is known; its text is not."""

    id: int
    label: str
    created_at: datetime
    last_used_at: datetime | None


def create(
    connection: Connection, *, label: str, entropy: Entropy, at: datetime, operator: str
) -> str:
    """Make a token and give its text, which is never shown again.

    Raises:
        InvalidInput: the label is taken or not printable.
    """
    if not label.strip() or len(label) > LABEL_LENGTH_MAX or not label.isprintable():
        raise InvalidInput(
            f"The label of a token has 1 to {LABEL_LENGTH_MAX} printable characters."
        )
    text = PREFIX + urlsafe_b64encode(entropy.bytes(32)).decode().rstrip("=")
    row = {"label": label, "token_hash": _hash(text), "created_at": at}
    try:
        connection.execute(insert(api_token).values(row))
    except IntegrityError as error:
        raise InvalidInput(f"There is a token {label} already; revoke it first.") from error
    audit.write(connection, AuditEntry(at, _ENTITY, label, "create", operator))
    return text


def every(connection: Connection) -> list[ApiToken]:
    """Give all tokens by label."""
    rows = connection.execute(select(api_token).order_by(api_token.c.label))
    return [ApiToken(row.id, row.label, row.created_at, row.last_used_at) for row in rows]


def find(connection: Connection, text: str) -> ApiToken | None:
    """Give the token of a text, if it is one that was not revoked."""
    row = connection.execute(
        select(api_token).where(api_token.c.token_hash == _hash(text))
    ).one_or_none()
    if row is None:
        return None
    return ApiToken(row.id, row.label, row.created_at, row.last_used_at)


def note_use(connection: Connection, token: ApiToken, at: datetime) -> None:
    """Remember when a token was used."""
    connection.execute(update(api_token).where(api_token.c.id == token.id).values(last_used_at=at))


def is_use_due(token: ApiToken, at: datetime) -> bool:
    """Tell whether the use of a token is to be noted: once a minute is enough."""
    return token.last_used_at is None or token.last_used_at + _USE_NOTED_EACH <= at


def revoke(connection: Connection, *, label: str, at: datetime, operator: str) -> None:
    """Forget a token: whoever brings it is refused from now on.

    Raises:
        NotFound: there is none of this label.
    """
    if connection.execute(delete(api_token).where(api_token.c.label == label)).rowcount == 0:
        raise NotFound("token", label)
    audit.write(connection, AuditEntry(at, _ENTITY, label, "revoke", operator))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
