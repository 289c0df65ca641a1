"""One message as it would be sent."""

from aftersend.database import deliveries, messages
from aftersend.delivery.analyse import analyse, stored
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import make_press, template_of
from aftersend.errors import InvalidInput
from aftersend.model.enumeration import DeliveryState
from aftersend.model.ids import DeliveryId

__all__ = ["render"]


def render(office: PostOffice, delivery_id: DeliveryId, email: str) -> bytes:
    """Print the message of a delivery to one address, headers and all.

    Line ends are those of this machine. A delivery that is being edited is analysed first.

    Raises:
        NotFound: there is no such delivery, or it has no message to this address.
        InvalidInput: the content cannot be prepared.
    """
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
    if delivery.state is DeliveryState.BEING_EDITED:
        error = analyse(office, delivery_id).error
    else:
        error = stored(office, delivery_id).error
    if error is not None and error.rule == "content":
        raise InvalidInput(error.text)
    with office.database.read() as connection:
        message = messages.of_address(connection, delivery_id, email)
        (addressee,) = messages.addressees(connection, [message.id])
        template = template_of(connection, office, delivery)
        press = make_press(connection, office, delivery, template)
    letter = press.letter(addressee, at=office.clock.now())
    return letter.data.replace(b"\r\n", b"\n")
