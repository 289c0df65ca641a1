"""Analysing a delivery: who gets it, what is wrong with it, where its links lead.

Analysing never sends. It may be repeated as long as nothing was sent, and replaces what it found
before: messages, exclusions and checks. Message ids are never used again, so a link that was shown
after one analysis never counts for somebody else after the next.
Source: spec §3.1, §3.10, §3.14.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from aftersend.content import Template
from aftersend.database import deliveries, messages, seeds
from aftersend.database.deliveries import Check, Delivery, Exclusion
from aftersend.database.messages import Candidate, NewMessage
from aftersend.delivery import address, typology
from aftersend.delivery.links import refresh_urls
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import Expansion, expand_now, keep, template_of
from aftersend.delivery.publish import Publication, publish
from aftersend.delivery.rules import EDITABLE, must_be_there
from aftersend.delivery.typology import content_error, target_error
from aftersend.errors import InvalidContent, InvalidInput
from aftersend.model.enumeration import (
    DeliveryKind,
    DeliveryState,
    EmailFormat,
    FailureReason,
    Severity,
)
from aftersend.model.ids import DeliveryId, RecipientId

__all__ = ["Analysis", "analyse", "first_error", "stored"]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an analysis found: `rejected` counts by the slug of the reason."""

    to_deliver: int
    rejected: Mapping[str, int]
    checks: Sequence[Check]

    @property
    def error(self) -> Check | None:
        """Give what stops the delivery, if anything does."""
        return first_error(self.checks)


@dataclass(slots=True)
class _Target:
    """Who gets a delivery, as it is counted together."""

    accepted: int = 0
    in_text: int = 0
    rejected: int = 0
    seeds: int = 0

    def is_reached(self, kind: DeliveryKind) -> bool:
        """Tell whether anybody gets it; only what tries something out may go to seeds alone."""
        return self.accepted > 0 or (kind is not DeliveryKind.MAIN and self.seeds > 0)


def analyse(office: PostOffice, delivery_id: DeliveryId) -> Analysis:
    """Find out who gets a delivery and whether it can be sent; make its messages.

    Its links work from then on: the catalogue is published.

    Raises:
        NotFound: there is no such delivery.
        InvalidInput: it is deleted, or it is being sent or was.
        Busy: its content was changed while its instructions were carried out.
    """
    checks: list[Check] = []
    expansion = _expand(office, delivery_id, checks)
    with office.database.write() as connection:
        delivery = deliveries.get(connection, delivery_id, is_held=True)
        must_be_there(delivery)
        if delivery.state not in EDITABLE:
            raise InvalidInput(
                f"Delivery {delivery_id} is {delivery.state.label.lower()}: it cannot be analysed"
                " any more."
            )
        deliveries.forget_analysis(connection, delivery_id)
        messages.forget(connection, delivery_id)
        template = _compile(connection, office, delivery, expansion, checks)
        target = _aim(connection, office, delivery, template)
        if template is not None:
            prepared = typology.gather(connection, office, delivery, template)
            checks += typology.run(prepared, office.checks)
        if not target.is_reached(delivery.kind):
            checks.append(target_error())
        deliveries.add_checks(connection, delivery_id, checks)
        now = office.clock.now()
        deliveries.change(
            connection,
            delivery_id,
            state=DeliveryState.BEING_EDITED if first_error(checks) else DeliveryState.TARGET_READY,
            to_deliver=target.accepted,
            text_count=target.in_text,
            rejected=target.rejected,
            untracked_reason="" if template is None else template.untracked_reason,
            analysed_at=now,
            modified_at=now,
        )
        delivery = deliveries.get(connection, delivery_id)
    if template is not None:
        _tell_missed(office, delivery_id, publish(office, template, delivery))
    return stored(office, delivery_id)


def stored(office: PostOffice, delivery_id: DeliveryId) -> Analysis:
    """Give what the last analysis of a delivery found.

    Raises:
        NotFound: there is no such delivery.
    """
    with office.database.read() as connection:
        delivery = deliveries.get(connection, delivery_id)
        return Analysis(
            to_deliver=delivery.to_deliver,
            rejected={
                reason.slug: number
                for reason, number in deliveries.rejected(connection, delivery_id).items()
            },
            checks=deliveries.checks(connection, delivery_id),
        )


def first_error(checks: Sequence[Check]) -> Check | None:
    """Give the first check that stops a delivery."""
    return next((check for check in checks if check.level is Severity.ERROR), None)


def _expand(office: PostOffice, delivery_id: DeliveryId, checks: list[Check]) -> Expansion | None:
    try:
        return expand_now(office, delivery_id)
    except InvalidContent as error:
        checks.append(content_error(error))
        return None


def _compile(
    connection: Connection,
    office: PostOffice,
    delivery: Delivery,
    expansion: Expansion | None,
    checks: list[Check],
) -> Template | None:
    if expansion is None:
        return None
    try:
        refresh_urls(connection, office, delivery, keep(connection, delivery, expansion))
        return template_of(connection, office, delivery)
    except InvalidContent as error:
        checks.append(content_error(error))
        return None


def _aim(
    connection: Connection, office: PostOffice, delivery: Delivery, template: Template | None
) -> _Target:
    target = _Target()
    seen: set[str] = set()
    now = office.clock.now()
    is_text_only = template is not None and not template.has_html
    has_text = template is not None and template.has_text
    for batch in messages.candidates(connection, delivery.id, is_target_all=delivery.is_target_all):
        excluded: list[Exclusion] = []
        accepted: list[NewMessage] = []
        for person in batch:
            reason = _reason_against(person, seen)
            if reason is not None:
                excluded.append(Exclusion(person.id, person.email, reason))
                continue
            is_text = is_text_only or (has_text and person.format is EmailFormat.TEXT)
            accepted.append(NewMessage(person.id, person.email, person.domain, is_text))
            target.in_text += is_text
        target.accepted += len(accepted)
        target.rejected += len(excluded)
        messages.add(connection, delivery.id, accepted, at=now)
        deliveries.add_exclusions(connection, delivery.id, excluded, at=now)
    members = [
        NewMessage(
            RecipientId(0), seed.email, address.domain_of(seed.email), is_text_only, is_seed=True
        )
        for seed in seeds.of_delivery(connection, delivery.id)
        if address.as_sent(seed.email) not in seen
    ]
    messages.add(connection, delivery.id, members, at=now)
    target.seeds = len(members)
    return target


def _reason_against(person: Candidate, seen: set[str]) -> FailureReason | None:
    if not person.email:
        return FailureReason.ADDRESS_NOT_SPECIFIED
    if person.is_denylisted:
        return FailureReason.DENYLISTED
    if not address.is_sendable(person.email):
        return FailureReason.BAD_QUALITY
    key = address.as_sent(person.email).lower()
    if key in seen:
        return FailureReason.DOUBLE
    seen.add(key)
    return None


def _tell_missed(office: PostOffice, delivery_id: DeliveryId, publication: Publication) -> None:
    if not publication.missed:
        return
    checks = [
        typology.finding(
            "tracking-server",
            f"Tracking server {missed.server_id} does not know the links yet: {missed.reason}.",
        )
        for missed in publication.missed
    ]
    with office.database.write() as connection:
        found = typology.judged(checks, office.checks)
        deliveries.add_checks(connection, delivery_id, found)
