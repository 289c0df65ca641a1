"""Operators: the people who may log in to the pages."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from aftersend.database.schema import operator
from aftersend.errors import InvalidInput, NotFound

__all__ = [
    "NAME_LENGTH_MAX",
    "PASSWORD_LENGTH_MAX",
    "PASSWORD_LENGTH_MIN",
    "Operator",
    "add",
    "change_password",
    "find",
    "verify",
]

NAME_LENGTH_MAX: Final = 100
PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; `stamp` changes with the password, so that sessions end with it."""

    id: int
    name: str
    stamp: str


def add(connection: Connection, *, name: str, password: str, at: datetime) -> None:
    """Let one more person log in.

    Raises:
        InvalidInput: the name is taken or not printable, or the password too short or too long.
    """
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable() or name != name.strip():
        raise InvalidInput(f"An operator's name has 1 to {NAME_LENGTH_MAX} printable characters.")
    row = {"name": name, "password_hash": _hash(password), "created_at": at}
    try:
        connection.execute(insert(operator).values(row))
    except IntegrityError as error:
        raise InvalidInput(f"There is an operator {name} already.") from error


def verify(connection: Connection, *, name: str, password: str) -> Operator | None:
    """Give the operator who has this name and password.

    Takes as long for a name that does not exist as for a wrong password.
    """
    if len(password) > PASSWORD_LENGTH_MAX:
        return None
    row = connection.execute(select(operator).where(operator.c.name == name)).one_or_none()
    if row is None:
        PasswordHasher().hash(password)
        return None
    try:
        PasswordHasher().verify(row.password_hash, password)
    except (VerificationError, InvalidHashError):
        return None
    return Operator(row.id, row.name, _stamp(row.password_hash))


def find(connection: Connection, operator_id: int) -> Operator | None:
    """Give an operator by id."""
    row = connection.execute(select(operator).where(operator.c.id == operator_id)).one_or_none()
    return None if row is None else Operator(row.id, row.name, _stamp(row.password_hash))


def change_password(connection: Connection, *, name: str, password: str) -> None:
    """Give an operator a new password; all sessions of that operator end.

    Raises:
        NotFound: there is no such operator.
        InvalidInput: the password is too short or too long.
    """
    changed = connection.execute(
        update(operator).where(operator.c.name == name).values(password_hash=_hash(password))
    )
    if changed.rowcount == 0:
        raise NotFound("operator", name)


def _hash(password: str) -> str:
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise InvalidInput(
            f"A password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters."
        )
    return PasswordHasher().hash(password)


def _stamp(password_hash: str) -> str:
    return blake2b(password_hash.encode(), digest_size=16).hexdigest()
