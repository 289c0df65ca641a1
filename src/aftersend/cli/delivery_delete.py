"""Deleting deliveries, and restoring them until they are cleaned up."""

from typing import TYPE_CHECKING

import typer

from aftersend.cli.delivery import IdArgument
from aftersend.cli.operator_name import operator_name
from aftersend.cli.output import InstanceOption, open_from

if TYPE_CHECKING:
    from aftersend.model.ids import DeliveryId

__all__ = ["register"]


def register(group: typer.Typer) -> None:
    """Add the commands to those of deliveries."""
    group.command()(delete)
    group.command()(restore)


def delete(delivery_id: IdArgument, instance: InstanceOption = None) -> None:
    """Hide a delivery from lists and reports; the cleanup removes it some days later.

    Links of messages that were sent go on redirecting, also after that.
    """
    from aftersend.app import post_office
    from aftersend.delivery.deletion import delete as delete_delivery

    opened = open_from(instance)
    delete_delivery(post_office(opened), _named(delivery_id), operator=operator_name())
    days = opened.settings.purge.deleted_deliveries_days
    until = f"for {days} days" if days else "at any time"
    typer.echo(
        f"Deleted delivery {delivery_id}. aftersend delivery restore {delivery_id} brings it back"
        f" {until}."
    )


def restore(delivery_id: IdArgument, instance: InstanceOption = None) -> None:
    """Show a deleted delivery again."""
    from aftersend.app import post_office
    from aftersend.delivery.deletion import restore as restore_delivery

    restore_delivery(
        post_office(open_from(instance)), _named(delivery_id), operator=operator_name()
    )
    typer.echo(f"Restored delivery {delivery_id}.")


def _named(number: int) -> "DeliveryId":
    from aftersend.model.ids import DeliveryId

    return DeliveryId(number)
