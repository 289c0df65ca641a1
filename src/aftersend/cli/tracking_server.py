"""Tracking servers: registering them, and seeing that public addresses lead to them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aftersend.cli.output import (
    InstanceOption,
    JsonOption,
    open_from,
    print_json,
    print_table,
    say,
    time_text,
)
from aftersend.errors import Transient

if TYPE_CHECKING:
    from aftersend.delivery.server_list import ServerRow
    from aftersend.delivery.verify import Found

__all__ = ["group"]

group = typer.Typer(help="Tracking servers: here and elsewhere.", no_args_is_help=True)


@group.command()
def add(
    server_id: Annotated[str, typer.Option("--id", metavar="S")],
    internal_url: Annotated[str, typer.Option("--internal-url", metavar="U")],
    is_forced: Annotated[
        bool,
        typer.Option("--force", help="take it over from another application, or move it here"),
    ] = False,
    instance: InstanceOption = None,
) -> None:
    """Register a tracking server that runs elsewhere; all that share its address join it."""
    from aftersend.app import registry
    from aftersend.delivery.registration import register

    outcome = register(registry(open_from(instance)), server_id, internal_url, is_forced=is_forced)
    if outcome.problem:
        typer.echo(f"Tracking server {server_id} is kept, but not registered yet.")
        say(f"{outcome.problem} Every run of Tracking tries again.")
        return
    names = ", ".join(outcome.servers)
    typer.echo(f"Tracking server {names} is registered at {internal_url.rstrip('/')}.")
    if outcome.missed:
        missed = outcome.missed[0]
        say(
            f"It lacks {len(outcome.missed):,} catalogues, because {missed.reason};"
            " every run of Tracking tries again."
        )


@group.command("list")
def list_(instance: InstanceOption = None, is_json: JsonOption = False) -> None:
    """Show the tracking servers, and how they stood when they were last contacted."""
    from aftersend.app import registry
    from aftersend.delivery.server_list import server_rows

    rows = server_rows(registry(open_from(instance)))
    if is_json:
        print_json([_server(row) for row in rows])
        return
    print_table(
        ("Id", "Internal URL", "Status", "Since", "Build", "Host", "Problem"),
        [
            (
                row.id,
                row.internal_url or "this machine",
                row.status.label,
                time_text(row.registered_at),
                row.build,
                row.host,
                row.problem,
            )
            for row in rows
        ],
    )


@group.command()
def remove(
    server_id: Annotated[str, typer.Option("--id", metavar="S")],
    instance: InstanceOption = None,
) -> None:
    """Forget a tracking server and those that share its address; run Tracking before."""
    from aftersend.app import registry
    from aftersend.delivery.registration import remove as remove_server

    gone = remove_server(registry(open_from(instance)), server_id)
    typer.echo(
        f"Tracking server {', '.join(gone)} is forgotten. Lines that were not fetched are still"
        " there: registered again, it goes on where it was."
    )


@group.command()
def verify(
    instance: InstanceOption = None,
    is_json: JsonOption = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="certificates of authorities to trust as well, PEM"),
    ] = None,
) -> None:
    """See that public addresses lead to our servers, and contact every internal URL."""
    from aftersend.app import registry
    from aftersend.delivery.registration import validate
    from aftersend.delivery.verify import verify as verify_addresses

    known = registry(open_from(instance))
    servers = validate(known)  # first: who is met at an address has to be registered
    found = verify_addresses(known, ca_file=ca_file)
    if is_json:
        print_json([_found(one) for one in found])
    else:
        for one in found:
            _tell(one)
        for server in servers:
            told = server.problem or "registered, answers"
            typer.echo(f"Tracking server {server.id}: {told}")
    wrong = [one.url for one in found if not one.is_ok]
    wrong += sorted({server.internal_url for server in servers if server.problem})
    if wrong:
        if is_json:
            for sentence in (*(one.problem for one in found), *(s.problem for s in servers)):
                if sentence:
                    say(sentence)
        raise Transient(f"Something is wrong with {', '.join(wrong)}: see above.")


def _tell(found: "Found") -> None:
    typer.echo(f"{found.url}: {'leads to our servers' if found.is_ok else 'NOT verified'}")
    if found.addresses:
        typer.echo(f"  addresses: {', '.join(found.addresses)}")
    if found.tls is not None:
        typer.echo(
            f"  certificate: of {found.tls.issuer}, valid until {time_text(found.tls.valid_until)}"
        )
    if found.servers:
        typer.echo(f"  servers: {', '.join(found.servers)}")
    if found.problem:
        typer.echo(f"  {found.problem}")


def _found(found: "Found") -> dict[str, Any]:
    tls = found.tls
    return {
        "url": found.url,
        "ok": found.is_ok,
        "addresses": list(found.addresses),
        "tls": tls and {"valid_until": time_text(tls.valid_until), "issuer": tls.issuer},
        "servers": list(found.servers),
        "missing": list(found.missing),
        "problem": found.problem,
    }


def _server(row: "ServerRow") -> dict[str, Any]:
    return {
        "id": row.id,
        "internal_url": row.internal_url,
        "status": row.status.value,
        "registered_at": time_text(row.registered_at),
        "build": row.build,
        "host": row.host,
        "problem": row.problem,
    }
