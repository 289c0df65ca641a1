"""Sending messages with scripts: faults of one recipient are his alone."""

from dataclasses import replace

from aftersend.database.recipients import Profile
from aftersend.delivery.create import create
from aftersend.delivery.office import PostOffice
from aftersend.model.enumeration import DeliveryState, MessageStatus
from aftersend.settings import ContentSettings
from tests.support.post_office import add_recipients, delivery_of, draft, messages_of
from tests.support.sending import reached, send_to
from tests.support.smtp_server import ScriptedServer

TEXT = (
    "<% if (recipient.first_name == 'throw') recipient.none.none;"
    " if (recipient.first_name == 'loop') for (;;);"
    " if (recipient.first_name == 'memory') for (var a = [];;) a.push('x' + a.length) %>"
    "Hello <%= recipient.first_name %> <%@ include view='UnsubscriptionLink' %>"
)
FAULTS = {
    "throw": "TypeError: cannot read property 'none' of undefined.",
    "loop": "it took longer than 0.2 seconds.",
    "memory": "it took more than 8 MiB of memory.",
}
KINDS = dict(zip((31, 35, 38), FAULTS, strict=True))


def test_scripts_that_fail_cost_their_recipients_the_message(office: PostOffice) -> None:
    """Who throws, loops or eats memory fails with the reason; all others get their message."""
    people = [
        Profile(f"p{number}@x.example", {"first_name": KINDS.get(number, "Ada")})
        for number in range(40)
    ]
    limits = ContentSettings(script_seconds_max=0.2, script_memory_bytes_max=8 * 1024 * 1024)
    office = replace(office, content=limits)
    add_recipients(office, people)
    delivery_id = create(office, draft(html=None, text=TEXT))
    server = ScriptedServer()

    sent = send_to(server, office, delivery_id)

    assert (37, 3) == (sent.sent, sent.failed)
    assert {person.email for person in people} - set(reached(server)) == {
        f"p{number}@x.example" for number in KINDS
    }
    assert DeliveryState.FINISHED is delivery_of(office, delivery_id).state
    stored = messages_of(office, delivery_id)
    for number, kind in KINDS.items():
        message = stored[f"p{number}@x.example"]
        assert MessageStatus.FAILED is message.status
        assert "text" in message.failure_text
        assert message.failure_text.endswith(f"failed for this recipient: {FAULTS[kind]}")
