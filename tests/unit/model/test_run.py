"""Counts of a run."""

from hypothesis import given
from hypothesis import strategies as st

from aftersend.model.run import Counts

counts = st.builds(
    Counts,
    read=st.integers(0, 9),
    loaded=st.integers(0, 9),
    already=st.integers(0, 9),
    rejected=st.dictionaries(st.sampled_from(["shape", "fields"]), st.integers(1, 9)),
    deliveries=st.integers(0, 9),
)


def test_the_equation_is_checked() -> None:
    """Lines read are loaded, loaded already, or rejected for a reason."""
    assert Counts(read=6, loaded=1, already=2, rejected={"shape": 3}).is_balanced
    assert not Counts(read=7, loaded=1, already=2, rejected={"shape": 3}).is_balanced


@given(counts, counts)
def test_the_equation_survives_adding_up(first: Counts, second: Counts) -> None:
    """Steps of a run add up place by place; killed: rejected lines of one side only."""
    both = first + second

    assert both.read == first.read + second.read
    assert sum(both.rejected.values()) == sum(first.rejected.values()) + sum(
        second.rejected.values()
    )
    if first.is_balanced and second.is_balanced:
        assert both.is_balanced
