from __future__ import annotations

import gc
import math

import pytest

from presscheck.bench.run import Rounds, Run, Unavailable


def go(arms, **run) -> Rounds:
    rounds = Rounds(arms, Run(**{"seeds": (0, 1, 2, 3, 4), "warmup": 1, **run}))
    rounds.go(lambda arm: None, lambda: None)
    return rounds


def test_all_arms_of_a_round_get_the_same_seed_and_the_order_changes():
    calls: list[tuple[str, int]] = []

    def arm(name):
        def trial(seed):
            calls.append((name, seed))
            yield "x", 1.0, "1"

        return trial

    go({name: arm(name) for name in "abc"}, seeds=tuple(range(20)))
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert [{seed for _, seed in one} for one in rounds] == [{0}, *({seed} for seed in range(20))]
    assert len({tuple(name for name, _ in one) for one in rounds}) > 3


def test_warm_up_rounds_leave_no_reading():
    rounds = go({"a": lambda seed: [("x", seed, "1")]}, seeds=(7, 8), warmup=2)
    assert [(row.round, row.seed) for row in rounds.rows] == [(0, 7), (1, 8)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reading_that_is_no_number_takes_its_arm_out_and_no_other(value):
    def broken(seed):
        yield "loss", value if seed == 2 else 1.0, "1"

    rounds = go({"broken": broken, "fine": lambda seed: [("loss", 1.0, "1")]})
    assert "loss of broken is" in rounds.skipped["broken"] and "round 2" in rounds.skipped["broken"]
    assert sum(row.arm == "fine" for row in rounds.rows) == 5


def test_an_arm_that_raises_says_where():
    def broken(seed):
        if seed == 1:
            raise ZeroDivisionError("no such thing")
        yield "x", 1.0, "1"

    rounds = go({"broken": broken, "fine": lambda seed: [("x", 1.0, "1")]})
    assert rounds.skipped == {"broken": "ZeroDivisionError in round 1, seed 1: no such thing"}


def test_an_arm_that_is_not_available_is_asked_once():
    asked = []

    def peer(seed):
        asked.append(seed)
        raise Unavailable("not installed")
        yield

    rounds = go({"peer": peer, "fine": lambda seed: [("x", 1.0, "1")]})
    assert len(asked) == 1 and rounds.skipped == {"peer": "not installed"}


def test_ctrl_c_keeps_the_finished_rounds_and_closes_the_arms():
    closed = []

    class Arm:
        def __call__(self, seed):
            if seed == 3:
                raise KeyboardInterrupt
            yield "x", float(seed), "1"

        def close(self):
            closed.append(True)

    rounds, kept = Rounds({"a": Arm()}, Run(seeds=(0, 1, 2, 3, 4), warmup=0)), []
    with pytest.raises(KeyboardInterrupt):
        rounds.go(lambda arm: None, lambda: kept.append(len(rounds.rows)))
    assert kept == [1, 2, 3] and closed == [True]


def test_rounds_that_are_done_are_not_run_again():
    first = go({"a": lambda seed: [("x", seed, "1")]}, seeds=(0, 1, 2))
    seen = []

    def arm(seed):
        seen.append(seed)
        yield "x", seed, "1"

    again = Rounds({"a": arm}, Run(seeds=(0, 1, 2, 3, 4), warmup=0), first.rows)
    assert again.trials == 2
    again.go(lambda arm: None, lambda: None)
    assert seen == [3, 4] and [row.seed for row in again.rows] == [0, 1, 2, 3, 4]


def test_no_garbage_is_collected_while_the_clock_runs():
    seconds, result = Run.time(lambda: gc.isenabled())
    assert result is False and seconds >= 0 and gc.isenabled()
