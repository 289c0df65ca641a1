"""What a mail server's refusal means for an address."""

import pytest

from aftersend.delivery.refusal import TEXT_LENGTH_MAX, read_refusal
from aftersend.model.enumeration import FailureReason as Reason
from aftersend.model.enumeration import FailureType as Type


@pytest.mark.parametrize(
    ("code", "text", "reason", "kind"),
    [
        (550, "5.1.1 <ada@x.example>: User unknown", Reason.USER_UNKNOWN, Type.HARD),
        (550, "5.1.6 Mailbox has moved", Reason.USER_UNKNOWN, Type.HARD),
        (550, "5.1.2 Bad destination system", Reason.INVALID_DOMAIN, Type.SOFT),
        (556, "5.1.10 Recipient address has null MX", Reason.INVALID_DOMAIN, Type.SOFT),
        (553, "5.1.8 Bad sender's system address", Reason.REFUSED, Type.SOFT),
        (550, "5.2.1 Mailbox disabled", Reason.ACCOUNT_DISABLED, Type.HARD),
        (552, "5.2.2 Over quota", Reason.MAILBOX_FULL, Type.SOFT),
        (452, "4.2.2 Over quota", Reason.MAILBOX_FULL, Type.SOFT),
        (552, "5.3.4 Message too big", Reason.REFUSED, Type.SOFT),
        (450, "4.4.1 No answer from host", Reason.UNREACHABLE, Type.SOFT),
        (550, "5.4.4 Unable to route", Reason.INVALID_DOMAIN, Type.SOFT),
        (550, "5.7.1 Spam", Reason.REFUSED, Type.SOFT),
        (450, "4.1.1 Try later", Reason.USER_UNKNOWN, Type.SOFT),
        (550, "No such user here", Reason.USER_UNKNOWN, Type.HARD),
        (552, "Quota exceeded", Reason.MAILBOX_FULL, Type.SOFT),
        (451, "Greylisted", Reason.UNREACHABLE, Type.SOFT),
        (554, "Transaction failed", Reason.REFUSED, Type.SOFT),
        (550, "5.9.9 A status nobody knows", Reason.USER_UNKNOWN, Type.HARD),
        (550, "", Reason.USER_UNKNOWN, Type.HARD),
    ],
)
def test_an_answer_has_one_meaning(code: int, text: str, reason: Reason, kind: Type) -> None:
    """The enhanced status decides before the plain code, and 4xx is always soft."""
    failure = read_refusal(code, text)

    assert (reason, kind) == (failure.reason, failure.type)
    assert f"{code} {text}" == failure.text


def test_an_endless_answer_is_cut() -> None:
    """A server's words are kept up to a limit."""
    assert TEXT_LENGTH_MAX == len(read_refusal(550, "x" * 5000).text)
