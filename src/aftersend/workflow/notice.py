"""What the supervisors are told by mail: a workflow has failed, or has been paused for long.

Whether it arrives changes nothing for the run: a message that cannot be sent is a warning in the
journal of the workflow that it is about.

Source: spec §5 (Errors), §9.1.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import partial
from html import escape
from typing import Final
from urllib.parse import quote

import aiosmtplib
from sqlalchemy.exc import SQLAlchemyError

from aftersend.database import workflows
from aftersend.database.workflows import JournalLine
from aftersend.errors import AftersendError
from aftersend.model.enumeration import Severity
from aftersend.platform.telemetry import logger
from aftersend.workflow.engine import Alarm
from aftersend.workflow.surroundings import Surroundings

__all__ = ["SUPERVISORS", "Notice", "alarm", "send"]

SUPERVISORS: Final = "supervisors"
"""The activity that journal lines about these messages belong to."""

_TIMEOUT_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about a workflow: what happened, in a line and in some facts, by their names."""

    workflow: str
    subject: str
    sentence: str
    facts: tuple[tuple[str, str], ...]


def alarm(given: Surroundings) -> Callable[[Alarm], None]:
    """Give what tells the supervisors that a workflow has become failed."""
    return partial(_tell, given)


def send(given: Surroundings, notice: Notice) -> bool:
    """Send a message to the supervisors, and write down how that went; tell whether all is well.

    Without supervisors there is nothing to do, and all is well.
    """
    to = given.settings.supervision.emails
    if not to:
        return True
    try:
        asyncio.run(_hand_over(given, notice))
    except (AftersendError, aiosmtplib.SMTPException, OSError, ValueError) as error:
        text = f"The supervisors could not be told by mail: {error}"
        _note(given, notice.workflow, Severity.WARNING, text)
        return False
    _note(given, notice.workflow, Severity.INFO, f"The supervisors were told: {', '.join(to)}.")
    return True


def _tell(given: Surroundings, about: Alarm) -> None:
    how = "failed and is paused" if about.is_paused else "failed"
    facts = (
        ("Workflow", f"{about.label} ({about.workflow})"),
        ("Activity", about.activity),
        ("Error", about.error),
        ("Run", str(about.run_id)),
        ("What to do", _TODO[about.is_paused]),
    )
    sentence = f"The workflow {about.label} has {how}."
    send(given, Notice(about.workflow, f"{about.label} {how}", sentence, facts))


_TODO: Final = {
    True: "Read its journal, put right what the error names, then resume it.",
    False: "Nothing, if it goes on by itself: it is run again at its next time.",
}


async def _hand_over(given: Surroundings, notice: Notice) -> None:
    server = given.mail_server()
    message = _message(given, notice)
    refused, _answer = await aiosmtplib.send(
        message,
        sender=_sender(given),
        recipients=list(given.settings.supervision.emails),
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.is_tls,
        start_tls=False if server.is_tls else server.is_starttls,
        timeout=min(server.timeout_s, _TIMEOUT_SECONDS_MAX),
        local_hostname=server.name,
    )
    if refused:
        addresses = ", ".join(sorted(refused))
        raise aiosmtplib.SMTPException(f"the mail server refused {addresses}")


def _message(given: Surroundings, notice: Notice) -> EmailMessage:
    link = f"{given.app_url}/workflows/{quote(notice.workflow)}"
    facts = (("Instance", given.instance), *notice.facts)
    message = EmailMessage()
    message["Subject"] = _one_line(f"[{given.instance}] {notice.subject}")
    message["From"] = _sender(given)
    message["To"] = ", ".join(given.settings.supervision.emails)
    message["Date"] = format_datetime(given.clock.now())
    message["Message-ID"] = make_msgid(domain=_sender(given).rpartition("@")[2])
    # RFC 3834: nobody's absence note answers it.
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{name}: {value}" for name, value in facts]
    message.set_content("\n".join([notice.sentence, "", *lines, "", link, ""]))
    rows = "".join(
        f"<tr><th align=left valign=top>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in facts
    )
    page = (
        f"<p>{escape(notice.sentence)}</p><table>{rows}</table>"
        f'<p><a href="{escape(link)}">{escape(link)}</a></p>'
    )
    message.add_alternative(page, subtype="html")
    return message


def _sender(given: Surroundings) -> str:
    return given.settings.supervision.sender or f"aftersend@{socket.gethostname()}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _note(given: Surroundings, workflow: str, severity: Severity, text: str) -> None:
    line = JournalLine(
        workflow=workflow,
        at=given.clock.now(),
        activity=SUPERVISORS,
        severity=severity,
        text=text,
    )
    try:
        with given.database.write() as connection:
            workflows.write_line(connection, line)
    except SQLAlchemyError as error:
        logger("workflow").warning(text, workflow=workflow, error=type(error).__name__)
