"""Sending deliveries."""

from typing import TYPE_CHECKING, Annotated

import typer

from aftersend.cli.delivery import IdArgument
from aftersend.cli.output import InstanceOption, JsonOption, open_from, print_json, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aftersend.app import Instance

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the commands to those of deliveries."""
    group.command()(send)


def send(
    delivery_id: IdArgument,
    is_proof: Annotated[
        bool, typer.Option("--proof", help="send a proof of it to those who check it")
    ] = False,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="who gets the proof, may be repeated; without it: the seed addresses",
        ),
    ] = None,
    instance: InstanceOption = None,
    is_json: JsonOption = False,
) -> None:
    """Send a delivery, or go on where sending it stopped; analyses it first if needed.

    A proof is a delivery of its own, counted nowhere; the delivery itself stays as it is.
    """
    if to and not is_proof:
        raise typer.BadParameter("Only a proof goes to single addresses: add --proof.")
    opened = open_from(instance)
    if is_proof:
        _send_proof(opened, delivery_id, to or (), is_json=is_json)
    else:
        _send_all(opened, delivery_id, is_json=is_json)


def _send_all(opened: "Instance", delivery_id: int, *, is_json: bool) -> None:
    from aftersend.app import mail_server, post_office
    from aftersend.delivery.send import send as send_delivery
    from aftersend.model.ids import DeliveryId

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


def _send_proof(
    opened: "Instance", delivery_id: int, addresses: "Sequence[str]", *, is_json: bool
) -> None:
    from aftersend.app import mail_server, post_office
    from aftersend.delivery.proof import send_proof
    from aftersend.model.ids import DeliveryId

    with progress() as on_progress:
        proof = send_proof(
            post_office(opened),
            mail_server(opened),
            DeliveryId(delivery_id),
            addresses=addresses,
            on_progress=lambda done, total: on_progress("Messages", done, total),
        )
    if is_json:
        print_json(
            {
                "proof": proof.number,
                "delivery_id": proof.delivery_id,
                "sent": proof.sent,
                "failed": proof.failed,
                "seconds": round(proof.seconds, 3),
            }
        )
    else:
        typer.echo(
            f"Proof {proof.number}, delivery {proof.delivery_id}: {proof.sent:,} sent,"
            f" {proof.failed:,} failed, in {proof.seconds:.1f} s."
        )
