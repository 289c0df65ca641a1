"""Sending to a scripted server, and seeing whom it reached."""

from collections import Counter
from collections.abc import Callable

from aftersend.delivery.mail_server import MailServer
from aftersend.delivery.office import PostOffice
from aftersend.delivery.send import Sent, send
from aftersend.model.ids import DeliveryId
from tests.support.smtp_server import ScriptedServer, serving

__all__ = ["PEOPLE", "reached", "send_to"]

PEOPLE = [f"p{number}@x.example" for number in range(20)]


def send_to(
    server: ScriptedServer,
    office: PostOffice,
    delivery_id: DeliveryId,
    *,
    connections: int = 3,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sent:
    """Send a delivery while the server runs."""
    with serving(server):
        to = MailServer("127.0.0.1", server.port, connections=connections, pause_s=0)
        return send(office, to, delivery_id, on_progress=on_progress)


def reached(server: ScriptedServer) -> Counter[str]:
    """Count how often the server took a message for each address."""
    return Counter(
        taken.recipient.removeprefix("RCPT TO:<").removesuffix(">") for taken in server.taken
    )
