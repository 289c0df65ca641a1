"""`aftersend delivery send --proof`: proofs by command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aftersend.app import remember_addresses
from aftersend.delivery import sink
from tests.support.command import aftersend


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Path]:
    """Give an instance with a mail server, one recipient and one delivery."""
    made = tmp_path / "instance"
    assert aftersend(None, "init", str(made)).status == 0
    (tmp_path / "people.csv").write_text("email,first_name\nada@x.example,Ada\n")
    (tmp_path / "news.txt").write_text("Hi <%= recipient.firstName %>: https://shop.example/\n")
    assert aftersend(made, "recipient", "import", str(tmp_path / "people.csv")).status == 0
    named = ("--label", "News", "--sender", "A <a@b.example>", "--subject", "Hello")
    texts = ("--text", str(tmp_path / "news.txt"), "--seed", "sid@x.example")
    assert aftersend(made, "delivery", "create", *named, *texts).status == 0
    with sink.running(tmp_path / "outbox") as port:
        remember_addresses(made, smtp=f"127.0.0.1:{port}")
        yield made


def _outbox(instance: Path) -> list[str]:
    return [path.read_text() for path in sorted((instance.parent / "outbox").glob("*.eml"))]


def test_a_proof_is_sent_to_those_who_are_named(instance: Path) -> None:
    """The number, the new delivery and the figures are told; lists show the proof as one."""
    to = ("--to", "eve@x.example", "--to", "bob@x.example")
    outcome = aftersend(instance, "delivery", "send", "1", "--proof", *to, "--json")

    assert 0 == outcome.status
    told = outcome.document
    assert told.pop("seconds") >= 0
    assert {"proof": 1, "delivery_id": 2, "sent": 2, "failed": 0} == told
    assert 2 == len(_outbox(instance))
    assert all("Subject: Proof #1 Hello\n" in each for each in _outbox(instance))
    listed = aftersend(instance, "delivery", "list", "--json").document
    assert {1: ("News", 0), 2: ("[Proof 1] News", 0)} == {
        row["id"]: (row["label"], row["to_deliver"]) for row in listed
    }


def test_a_proof_goes_to_the_seeds_and_is_told_to_people(instance: Path) -> None:
    """Without addresses the seed addresses get it, with a sentence for people."""
    outcome = aftersend(instance, "delivery", "send", "1", "--proof")

    assert outcome.out.startswith("Proof 1, delivery 2: 1 sent, 0 failed, in ")
    (message,) = _outbox(instance)
    assert "To: sid@x.example\n" in message
    assert "Hi Ada: http://" in message.replace("=\n", "")


def test_a_delivery_is_not_sent_to_single_addresses(instance: Path) -> None:
    """An address without --proof is wrong usage, and nobody gets anything."""
    outcome = aftersend(instance, "delivery", "send", "1", "--to", "eve@x.example")

    assert 2 == outcome.status
    assert "add --proof" in outcome.err
    assert [] == _outbox(instance)
