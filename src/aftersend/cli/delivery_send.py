"""Sending deliveries."""

import typer

from aftersend.cli.delivery import IdArgument
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, progress

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the commands to those of deliveries."""
    group.command()(send)


def send(
    delivery_id: IdArgument, instance: InstanceOption = None, is_json: JsonOption = False
) -> None:
    """Send a delivery, or go on where sending it stopped; analyses it first if needed."""
    from aftersend.app import mail_server, post_office
    from aftersend.delivery.send import send as send_delivery
    from aftersend.model.ids import DeliveryId

    opened = open_from(instance)
    with progress() as on_progress:
        sent = send_delivery(
            post_office(opened),
            mail_server(opened),
            DeliveryId(delivery_id),
            on_progress=lambda done, total: on_progress("Messages", done, total),
        )
    if is_json:
        print_json({"sent": sent.sent, "failed": sent.failed, "seconds": round(sent.seconds, 3)})
    elif sent.was_finished:
        typer.echo(f"Delivery {delivery_id} was finished: {sent.sent:,} sent before.")
    else:
        typer.echo(f"{sent.sent:,} sent, {sent.failed:,} failed, in {sent.seconds:.1f} s.")
