"""Web visits: lines of pages that tell of themselves, instead of links of a message.

Such a line has url id 0 and a field 9 that begins ``tagid=``. Which visits are kept is a matter of
the mode of web tracking. Whose the visits of browsers are that only said who they were before, or
will say so, is the business of the attribution, which comes after loading.

Source: spec §4.5, §4.6.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

from aftersend.database import tags, web_visits
from aftersend.database.engine import Database
from aftersend.model.enumeration import WebTrackingMode
from aftersend.model.logline import ATTRIBUTED, HEAD, NAMED, PLAIN, UNVERIFIED
from aftersend.model.tag import parse
from aftersend.platform.clock import Clock
from aftersend.settings import WebTrackingSettings
from aftersend.tracking import parameters
from aftersend.tracking.found import FOUND
from aftersend.tracking.reason import Reason, mark
from aftersend.tracking.remembered import Remembered
from aftersend.tracking.visitor import visitors

pc: Any = pyarrow.compute  # its published types admit less than it takes

__all__ = ["KnownSince", "Visits", "are_visits"]

KnownSince = Callable[[Collection[str]], Mapping[str, int]]
"""Tell of sources when somebody known first used them, in µs; unknown ones are left out."""

_BEGIN: Final = f"{parameters.TAG}="
_NEVER: Final = np.iinfo(np.int64).max


def are_visits(lines: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell of each line, in the shape of `line.VALID`, whether it is a web visit."""
    is_visit: npt.NDArray[np.bool_] = lines["url_id"].to_numpy() == 0
    if is_visit.any():
        is_visit &= pc.starts_with(lines["parameters"], _BEGIN).to_numpy()
    return is_visit


@dataclass(frozen=True, slots=True)
class Visits:
    """How web visits are understood; `known_since` asks what is loaded already."""

    database: Database
    clock: Clock
    settings: WebTrackingSettings
    known_since: KnownSince
    remembered: Remembered = field(default_factory=Remembered)

    def find(self, lines: pa.Table) -> pa.Table:
        """Find tag, recipient and message of web visits; tags that pages ask for are made.

        Shape: from rows of `line.VALID` to one of `FOUND` each, in their order; `delivery_id` is 0
            where there is none that we know.
        """
        codes = np.zeros(lines.num_rows, np.int8)
        with self.database.read() as connection:
            fields = self.settings.recipient_fields
            people = visitors(connection, lines, codes, fields=fields)
        url_ids, url_types = self._tags(lines, codes)
        is_named = ~_are_known(people) & (people["delivery_id"].to_numpy() != 0)
        columns = {name: people[name] for name in people.column_names} | {
            "reason": pa.array(codes),
            "url_id": url_ids,
            "url_type": url_types,
            "flags": _with_flag(lines["flags"], is_named),
            "amount": parameters.amounts(lines["parameters"]),
            "article": parameters.articles(lines["parameters"]),
        }
        return pa.table([columns[name] for name in FOUND.names], schema=FOUND)

    def mark(
        self,
        codes: npt.NDArray[np.int8],
        is_visit: npt.NDArray[np.bool_],
        *,
        lines: pa.Table,
        found: pa.Table,
    ) -> None:
        """Mark visits that the mode does not keep, among all lines of a batch."""
        mode = WebTrackingMode(self.settings.mode)
        has_source = pc.not_equal(lines["source_id"], "").to_numpy()
        is_known = _are_known(found)
        if mode.is_anonymous:
            mark(codes, Reason.INCOMPLETE_VISIT, is_visit & ~(is_known | has_source))
        elif mode.is_permanent:
            mark(codes, Reason.UNKNOWN_VISITOR, is_visit & ~(is_known | has_source))
            asked = np.flatnonzero(is_visit & ~is_known & (codes == 0))
            if len(asked):
                is_stranger = np.zeros(len(codes), np.bool_)
                is_stranger[asked] = self._are_strangers(asked, codes, lines, found)
                mark(codes, Reason.UNKNOWN_VISITOR, is_stranger)
        else:
            has_message = _numpy(found["message_id"]) != 0
            mark(codes, Reason.INCOMPLETE_VISIT, is_visit & ~(has_message & has_source))

    def with_delivery(self, found: pa.Table, wants: npt.NDArray[np.bool_]) -> pa.Table:
        """Put some rows of `found` to the delivery of web visits, made at first need."""
        name = self.settings.delivery
        with self.database.read() as connection:
            delivery = web_visits.find(connection, name)
        if delivery is None:
            with self.database.write() as connection:
                delivery = web_visits.ensure(connection, name, at=self.clock.now())
        place = found.schema.get_field_index("delivery_id")
        deliveries = np.where(wants, delivery, _numpy(found["delivery_id"]))
        return found.set_column(place, FOUND.field(place), pa.array(deliveries))

    def _tags(self, lines: pa.Table, codes: npt.NDArray[np.int8]) -> tuple[Any, Any]:
        """Give ids and types of tags, and mark what names none, or one that counts no more."""
        column = parameters.values(lines["parameters"], parameters.TAG)
        texts = column.dictionary_encode().combine_chunks()
        specs = [parse(text) for text in texts.dictionary.to_pylist()]
        asked = [spec for spec in specs if spec is not None]
        with self.database.read() as connection:
            known = tags.by_tag_id(connection, {spec.tag_id for spec in asked})
        if any(spec.type is not None and spec.tag_id not in known for spec in asked):
            with self.database.write() as connection:
                known = dict(tags.ensure(connection, asked))
        found = [None if spec is None else known.get(spec.tag_id) for spec in specs]
        ids = pa.array([tag and tag.id for tag in found], pa.int64()).take(texts.indices)
        types = pa.array([tag and tag.type for tag in found], pa.int8()).take(texts.indices)
        until = pa.array([tag and tag.valid_until for tag in found], lines["at"].type)
        mark(codes, Reason.UNKNOWN_TAG, ids.is_null().to_numpy(zero_copy_only=False))
        is_over = pc.greater_equal(lines["at"], pa.chunked_array([until.take(texts.indices)]))
        mark(codes, Reason.EXPIRED_TAG, pc.fill_null(is_over, False).to_numpy())
        return ids, types

    def _are_strangers(
        self,
        asked: npt.NDArray[np.int64],
        codes: npt.NDArray[np.int8],
        lines: pa.Table,
        found: pa.Table,
    ) -> npt.NDArray[np.bool_]:
        """Tell of some visits whether nobody known used their browser before, nor at that time."""
        sources, moments = lines["source_id"].take(asked), lines["at"].cast(pa.int64())
        wanted = sources.unique()
        since = dict(self.known_since(list(map(str, wanted.to_pylist()))))
        is_known = (codes == 0) & (_numpy(found["message_id"]) != 0)
        for letter in (UNVERIFIED, HEAD, ATTRIBUTED):
            is_known &= ~pc.match_substring(found["flags"], letter).to_numpy()
        is_known &= pc.is_in(lines["source_id"], value_set=wanted).to_numpy()
        here = pa.table([lines["source_id"], moments], ["source", "at"]).filter(pa.array(is_known))
        for row in here.group_by("source").aggregate([("at", "min")]).to_pylist():
            since[row["source"]] = min(row["at_min"], since.get(row["source"], _NEVER))
        first = np.array(
            [since.get(source, _NEVER) for source in map(str, sources.to_pylist())], np.int64
        )
        is_stranger: npt.NDArray[np.bool_] = first > moments.take(asked).to_numpy()
        return is_stranger


def _are_known(found: pa.Table) -> npt.NDArray[np.bool_]:
    is_known: npt.NDArray[np.bool_] = (_numpy(found["message_id"]) != 0) | (
        _numpy(found["recipient_id"]) != 0
    )
    return is_known


def _with_flag(flags: Any, is_named: npt.NDArray[np.bool_]) -> Any:
    """Note that the page, or the browser, named the delivery: attribution must know it later."""
    plain = pc.if_else(pc.equal(flags, PLAIN), "", flags)
    return pc.if_else(pa.array(is_named), pc.binary_join_element_wise(plain, NAMED, ""), flags)


def _numpy(ids: Any) -> npt.NDArray[np.int64]:
    """Give ids; 0 where there is none."""
    numbers: npt.NDArray[np.int64] = pc.fill_null(ids, 0).to_numpy()
    return numbers
