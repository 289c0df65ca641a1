"""The links of a delivery: which are tracked, and what they are called.

Who decides, strongest first: the operator for this delivery, the author in the content, what the
instance remembers of the URL, and that every link is tracked. An author who changes his mind is
heard again. A link that is off in the HTML is off in the text: both lead to the same place, and
who is not followed there is not followed here.

Source: spec §3.4 to §3.6.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from aftersend.content import FoundLink, Source, detect
from aftersend.database import deliveries, enumerations, url_memory, urls
from aftersend.database.deliveries import Delivery
from aftersend.database.enumerations import URL_CATEGORY
from aftersend.database.url_memory import Remembered
from aftersend.database.urls import NewUrl, TrackedUrl
from aftersend.delivery import rules
from aftersend.delivery.office import PostOffice
from aftersend.delivery.prepare import expand_now, keep, preparation_of
from aftersend.errors import Busy, InvalidContent, InvalidInput, NotFound
from aftersend.model.enumeration import DeliveryState, Part, TrackingMode, UrlType
from aftersend.model.ids import DeliveryId, UrlId

__all__ = ["list_urls", "look_for_urls", "refresh_urls", "set_url", "set_urls"]

_REMEMBERED: Final = (TrackingMode.ALWAYS, TrackingMode.NEVER)
_MODES: Final = {UrlType.OPT_OUT: TrackingMode.OPT_OUT, UrlType.MIRROR_PAGE: TrackingMode.MIRROR}


def list_urls(office: PostOffice, delivery_id: DeliveryId) -> list[TrackedUrl]:
    """List the links of a delivery, those of the HTML first.

    Raises:
        NotFound: there is no such delivery.
    """
    with office.database.read() as connection:
        deliveries.get(connection, delivery_id)
        return urls.of_delivery(connection, delivery_id)


def set_url(
    office: PostOffice,
    delivery_id: DeliveryId,
    url_id: UrlId,
    *,
    mode: TrackingMode | None = None,
    label: str | None = None,
    category: str | None = None,
) -> TrackedUrl:
    """Change how a link is tracked and what it is called; see `set_urls`."""
    (url,) = set_urls(office, delivery_id, [url_id], mode=mode, label=label, category=category)
    return url


def set_urls(
    office: PostOffice,
    delivery_id: DeliveryId,
    url_ids: Iterable[UrlId],
    *,
    mode: TrackingMode | None = None,
    label: str | None = None,
    category: str | None = None,
) -> list[TrackedUrl]:
    """Change how links are tracked and what they are called; None leaves it as it is.

    A link that is switched off in the HTML is switched off in the text, too. "Always" and "never"
    are remembered for later deliveries, any other mode makes the instance forget the URL. A
    delivery that was analysed has to be analysed again.

    Raises:
        NotFound: there is no such delivery, or it has no such link.
        InvalidInput: the delivery is being sent or was, a text is too long, or a link of the text
            would be tracked that is not tracked in the HTML.
    """
    values = _values(mode, label, category)
    with office.database.write() as connection:
        rules.editable(connection, delivery_id, "its links are")
        listed = {url.id: url for url in urls.of_delivery(connection, delivery_id)}
        ids = list(dict.fromkeys(url_ids))
        for url_id in ids:
            if url_id not in listed:
                raise NotFound(f"tracked URL of delivery {delivery_id}", url_id)
        if values and ids:
            changed = [_changed(listed[url_id], values) for url_id in ids]
            followers = _followers(changed, listed.values())
            _refuse_text_alone({**listed, **{url.id: url for url in changed}}, ids, mode)
            _store(connection, office, delivery_id, [*changed, *followers])
            # The HTML stands first in the list: its labels are the ones to remember.
            for url in reversed(changed):
                _remember(connection, office, url, is_mode_set=mode is not None)
        return [urls.get(connection, url_id) for url_id in ids]


def look_for_urls(office: PostOffice, delivery_id: DeliveryId) -> None:
    """List the links of a content that was written just now.

    What cannot be prepared is left for the analysis to tell.

    Raises:
        NotFound: there is no such delivery.
    """
    try:
        expansion = expand_now(office, delivery_id)
    except InvalidContent:
        return
    # Somebody else who is changing the content or sending it has looked at it himself.
    with office.database.write() as connection, suppress(InvalidInput, Busy):
        delivery = rules.editable(connection, delivery_id, "its links are")
        refresh_urls(connection, office, delivery, keep(connection, delivery, expansion))


def refresh_urls(
    connection: Connection, office: PostOffice, delivery: Delivery, source: Source
) -> None:
    """Detect the links of a content and bring the list of tracked URLs up to date.

    Raises:
        InvalidContent: the content cannot be prepared; the list stays as it is.
    """
    preparation = preparation_of(connection, office, delivery)
    addresses = office.addresses_of(delivery)
    found = detect(source, addresses=addresses, preparation=preparation)
    new = _chosen(
        found,
        {(url.part, url.source): url for url in urls.of_delivery(connection, delivery.id)},
        url_memory.of_sources(connection, [link.source for link in found]),
    )
    urls.refresh(connection, delivery.id, new)
    urls.set_honeypot(connection, delivery.id, is_wanted=office.content.has_honeypot)
    enumerations.add(connection, URL_CATEGORY, [url.category for url in new])


def _chosen(
    found: Sequence[FoundLink],
    known: Mapping[tuple[Part, str], TrackedUrl],
    memory: Mapping[str, Remembered],
) -> list[NewUrl]:
    """Decide on every link of a content."""
    asked = {(link.part, link.source): _asked(link) for link in found}
    chosen: list[NewUrl] = []
    for link in found:
        author = asked[link.part, link.source]
        html = asked.get((Part.HTML, link.source), author)
        if not html.is_tracked:
            author = html
        new = _new(link, author, memory.get(link.source))
        before = known.get((link.part, link.source))
        chosen.append(new if before is None else _kept(new, before))
    off = {url.source: url.mode for url in chosen if _is_off(url)}
    return [
        replace(url, mode=off[url.source])
        if url.part is Part.TEXT and url.mode.is_tracked and url.source in off
        else url
        for url in chosen
    ]


def _asked(link: FoundLink) -> TrackingMode:
    """Tell what the author asked for."""
    is_silent = link.mode is TrackingMode.ENABLED
    return _MODES.get(link.type, TrackingMode.ENABLED) if is_silent else link.mode


def _new(link: FoundLink, author: TrackingMode, memory: Remembered | None) -> NewUrl:
    """Decide on a link that the operator said nothing about."""
    mode, label, category = author, link.label, link.category[: rules.CATEGORY_LENGTH_MAX]
    new = NewUrl(
        part=link.part,
        source=link.source,
        type=link.type,
        mode=mode,
        label=label,
        category=category,
        occurrences=link.occurrences,
        found_mode=mode,
        found_label=label,
        found_category=category,
    )
    if memory is None:
        return new
    is_named = label not in (link.text[: rules.LABEL_LENGTH_MAX], _by_address(link.source))
    return replace(
        new,
        mode=memory.mode if author is TrackingMode.ENABLED else author,
        label=label if is_named else memory.label or label,
        category=category or memory.category,
    )


def _kept(new: NewUrl, before: TrackedUrl) -> NewUrl:
    """Keep what the operator chose: what differs from what the content asked for then."""
    is_asked_anew = before.found_mode not in ("", new.found_mode)
    is_chosen = before.mode != before.found_mode
    if is_chosen and not is_asked_anew:
        new = replace(new, mode=before.mode, type=before.type)
    if before.label != before.found_label:
        new = replace(new, label=before.label)
    if before.category != before.found_category:
        new = replace(new, category=before.category)
    return new


def _values(mode: TrackingMode | None, label: str | None, category: str | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if mode is not None:
        values["mode"] = mode
    if label is not None:
        values["label"] = rules.short("label", label, rules.LABEL_LENGTH_MAX)
    if category is not None:
        values["category"] = rules.short("category", category, rules.CATEGORY_LENGTH_MAX)
    return values


def _changed(url: TrackedUrl, values: Mapping[str, Any]) -> TrackedUrl:
    changed = replace(url, **values)
    return replace(changed, type=_type(url.type, changed.mode)) if "mode" in values else changed


def _type(before: UrlType, mode: TrackingMode) -> UrlType:
    if mode is TrackingMode.OPT_OUT:
        return UrlType.OPT_OUT
    if mode is TrackingMode.MIRROR:
        return UrlType.MIRROR_PAGE
    return UrlType.EMAIL_CLICK if mode.is_tracked else before


def _followers(changed: Sequence[TrackedUrl], listed: Iterable[TrackedUrl]) -> list[TrackedUrl]:
    """Switch links of the text off that were switched off in the HTML just now."""
    off = {url.source: url.mode for url in changed if _is_off(url)}
    named = {url.id for url in changed}
    return [
        replace(url, mode=off[url.source])
        for url in listed
        if url.part is Part.TEXT
        and url.mode.is_tracked
        and url.source in off
        and url.id not in named
    ]


def _refuse_text_alone(
    after: Mapping[UrlId, TrackedUrl], ids: Sequence[UrlId], mode: TrackingMode | None
) -> None:
    if mode is None or not mode.is_tracked:
        return
    off = {url.source for url in after.values() if _is_off(url)}
    for url_id in ids:
        url = after[url_id]
        if url.part is Part.TEXT and url.source in off:
            raise InvalidInput(
                f"The link {url.source[:200]} is not tracked in the HTML, so it cannot be tracked"
                " in the text: switch it on in the HTML first."
            )


def _is_off(url: NewUrl | TrackedUrl) -> bool:
    return url.part is Part.HTML and not url.mode.is_tracked


def _store(
    connection: Connection,
    office: PostOffice,
    delivery_id: DeliveryId,
    changed: Sequence[TrackedUrl],
) -> None:
    for url in changed:
        urls.change(
            connection,
            url.id,
            mode=url.mode,
            type=url.type,
            label=url.label,
            category=url.category,
        )
    enumerations.add(connection, URL_CATEGORY, [url.category for url in changed])
    deliveries.change(
        connection,
        delivery_id,
        state=DeliveryState.BEING_EDITED,
        modified_at=office.clock.now(),
    )


def _remember(
    connection: Connection, office: PostOffice, url: TrackedUrl, *, is_mode_set: bool
) -> None:
    if url.mode in _REMEMBERED:
        # A link that is called by its address got no name: the next one may have a better.
        label = "" if url.label == _by_address(url.source) else url.label
        new = Remembered(url.source, url.mode, label, url.category)
        url_memory.remember(connection, new, at=office.clock.now())
    elif is_mode_set:
        url_memory.forget(connection, url.source)


def _by_address(source: str) -> str:
    return source[: rules.LABEL_LENGTH_MAX]
