"""What a tracking server counts while it works."""

from aftersend.collector.metrics import Metrics, SyncTimes


def test_the_slowest_sync_is_that_of_the_last_minute() -> None:
    """Count and sum are for ever, the slowest is forgotten after a minute."""
    times = SyncTimes()
    for now, seconds in ((10.1, 0.5), (10.2, 2.0), (10.9, 0.25), (50.0, 1.0)):
        times.add(seconds, now=now)

    assert (times.count, times.seconds) == (4, 3.75)
    assert [times.slowest(now=now) for now in (50.0, 69.9, 70.1, 110.1)] == [2.0, 2.0, 1.0, 0.0]


def test_many_syncs_a_second_need_no_more_room() -> None:
    """One figure a second is kept, and a minute of them."""
    times = SyncTimes()
    for each in range(10_000):
        times.add(each / 1000, now=each / 100)

    assert len(times._slowest) == 60
    assert times.slowest(now=100) == 9.999


def test_answers_are_told_by_kind_once_there_are_any() -> None:
    """Those that nearly all requests get stand beside the others."""
    metrics = Metrics()

    assert metrics.answers == {}

    metrics.redirects += 2
    metrics.requests["open", "not_found"] += 1

    assert metrics.answers == {("click", "redirect"): 2, ("open", "not_found"): 1}

    metrics.pixels += 1

    assert metrics.answers["open", "pixel"] == 1
