"""Clock, latencies, errors: what every room stands on."""

from __future__ import annotations

import pytest

from app import errors
from app.clock import NS_PER_MS, NS_PER_S, SystemClock, VirtualClock
from app.errors import MissingDriverError, TaktError
from app.latency import LatencyLedger, Slow, slowest
from app.types import Tally


def test_virtual_clock_stands_still_and_never_goes_back() -> None:
    clock = VirtualClock(5)
    assert (clock.now_ns(), clock.now_ns()) == (5, 5)
    clock.advance_to(NS_PER_S + 5)
    assert (clock.wall() - VirtualClock().wall()).total_seconds() == 1
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance_to(5)


def test_system_clock_is_monotonic_and_knows_its_zone() -> None:
    clock = SystemClock()
    assert clock.now_ns() <= clock.now_ns()
    assert clock.wall().utcoffset() is not None


def test_latencies_of_a_stage() -> None:
    ledger = LatencyLedger(["infer", "decide"])
    for ms in range(1, 101):
        ledger.note("infer", ms * 1_000_000)
    infer = ledger.of("infer")
    assert (infer.count, infer.p50, infer.max) == (100, 50.5, 100.0)
    assert infer.p50 < infer.p95 < infer.p99 < infer.p999 < infer.max
    assert ledger.of("decide").count == 0


def test_full_ledger_keeps_the_newest_and_the_longest_of_all() -> None:
    ledger = LatencyLedger(["infer"], kept=4)
    for ms in (900, 1, 2, 3, 4):
        ledger.note("infer", ms * 1_000_000)
    infer = ledger.of("infer")
    assert (infer.count, infer.p50, infer.max) == (5, 2.5, 900.0)


def test_unknown_stage_is_refused() -> None:
    with pytest.raises(KeyError):
        LatencyLedger(["infer"]).note("infr", 1)


def test_slowest_parts_of_the_named_stage_are_known_by_their_numbers():
    ledger = LatencyLedger(["infer", "frame_to_verdict"], kept=4)
    for part, took_ms in ((7, 9), (8, 2), (9, 3), (10, 1), (11, 4)):
        ledger.note("infer", 50 * NS_PER_MS)
        ledger.note("frame_to_verdict", took_ms * NS_PER_MS, part)
    took_ms = ledger.taken_ns("frame_to_verdict") / NS_PER_MS
    found = slowest(took_ms, ledger.parts(), most=2)
    assert found == (Slow(11, 4.0), Slow(9, 3.0)), "of those that are kept: part 7 is not any more"
    assert slowest(took_ms[:0], ledger.parts()[:0]) == ()


def test_every_error_is_of_one_tree_and_of_a_builtin_kind() -> None:
    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TaktError)]
    assert len(kinds) > 10
    for kind in kinds:
        if kind is not TaktError:
            assert any(
                base.__module__ == "builtins" and base not in (Exception, BaseException, object)
                for base in kind.__mro__
            )
            assert kind.__name__ in (errors.__doc__ or "")


def test_missing_driver_says_what_to_run() -> None:
    assert str(MissingDriverError("runtime openvino", "openvino", "openvino")).endswith(
        'run: pip install "takt-inspect[openvino]"'
    )


@pytest.mark.parametrize(("in_flight", "is_balanced"), [(1, True), (0, False), (2, False)])
def test_account_balances_to_the_part(in_flight: int, is_balanced: bool) -> None:
    assert Tally(triggers=10, passed=6, rejected=2, lost=1, in_flight=in_flight).is_balanced is is_balanced
