"""LazyLLM's experiment: budgets are matched, the baseline is not slowed, choices are not made on the test."""

import dataclasses

import pytest
import torch

from presscheck.bench.run import Run, Unavailable
from presscheck.systems.lazyllm import LazyCache, PruneSchedule, experiment
from presscheck.systems.lazyllm.experiment import BUDGETS, SIZES, in_turn, of_documents, schedules
from presscheck.testbeds.language import LanguageModel, load, tiny_llama


def run_of(**changes):
    return Run(**{"size": "smoke", "seeds": (0, 1), "warmup": 0} | changes)


SMOKE = run_of()


@pytest.fixture(scope="module")
def tiny():
    return LanguageModel(tiny_llama(layers=6), None, "tiny")


@pytest.fixture(scope="module")
def smollm():
    return load()


@pytest.mark.parametrize("budget", BUDGETS)
def test_contenders_of_a_budget_compute_equally_many_pairs(budget):
    plans = schedules(30, budget)
    assert set(plans) == {"lazy", "random", "recent", "static"}
    for plan in plans.values():
        assert plan.work(1600, 30) == pytest.approx(budget, abs=2e-3)
    assert plans["random"].keep == plans["recent"].keep == plans["lazy"].keep
    assert len(plans["static"].keep) == 1 and not plans["static"].revive


def test_lossless_looks_at_early_and_late_cuts_of_a_budget():
    for budget in SIZES["full"].candidates:
        plans = experiment.candidates(30, budget)
        assert all(plan.work(4000, 30) == pytest.approx(budget, abs=2e-3) for plan in plans)
        assert [plan.keep[0][0] for plan in plans[1:]] == ([20] if budget >= 0.7 else [])


def test_the_baseline_makes_one_row_of_logits(tiny):
    rows = []
    hook = tiny.model.lm_head.register_forward_pre_hook(lambda module, args: rows.append(args[0].shape[1]))
    for plan in (None, PruneSchedule([(2, 0.5)])):
        experiment.first_token(tiny, torch.arange(3, 60)[None], plan)
    hook.remove()
    assert rows == [1, 1]


@pytest.mark.parametrize("back", [False, True])
def test_times_are_taken_in_turn_and_back(tiny, monkeypatch, back):
    plans = {"full": None, "half": PruneSchedule([(2, 0.5)]), "third": PruneSchedule([(2, 0.3)])}

    class Clock:
        time = staticmethod(lambda call: (1.0, call()))

    for seed in range(3):
        calls = []
        monkeypatch.setattr(experiment, "first_token", lambda lm, ids, plan, calls=calls: calls.append(plan))
        seconds = in_turn(Clock(), tiny, torch.arange(3, 60)[None], plans, seed, back=back)
        assert len(calls) == (6 if back else 3) and (calls == calls[::-1]) is back
        assert set(map(id, calls)) == set(map(id, plans.values()))
        assert seconds.keys() == plans.keys() and set(seconds.values()) == {1.0}


def test_random_draws_other_tokens_each_round(tiny):
    """With its generator begun alike in each round, one lucky draw would be measured again and again."""
    arm, drawn = experiment.arms(SMOKE)["random-0.5"], []
    for seed in (0, 1):
        caches = []

        class Watched(LazyCache):
            def __init__(self, *args, caches=caches):
                super().__init__(*args)
                caches.append(self)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("presscheck.systems.lazyllm.attach.LazyCache", Watched)
            list(arm(seed))
        drawn.append(caches[0].lottery[:80])
    assert not torch.equal(*drawn)


def test_lossless_chooses_the_smallest_budget_whose_loss_is_within_the_margins(monkeypatch):
    """On questions of seeds that no round has; where nothing is within them, nothing is pruned."""
    for losses, expected in (({0.5: 1.04, 0.8: 1.0}, 0.5), ({0.5: 1.06, 0.8: 1.04}, 0.8), ({}, 1.0)):
        seeds = []
        asked = experiment.questions

        def answered(lm, question, plan, losses=losses):
            work = 1.0 if plan is None else round(plan.work(4000, 6), 2)
            return (1.0 if work == 1 else losses.get(work, 9.0)), 1.0

        def noted(lm, size, seed, *counts, seeds=seeds, asked=asked):
            seeds.append(seed)
            return asked(lm, size, seed, *counts)

        with monkeypatch.context() as patch:
            patch.setattr(experiment, "answered", answered)
            patch.setattr(experiment, "questions", noted)
            patch.setattr(Run, "time", staticmethod(lambda call: (1.0, call())))
            readings = {metric: value for metric, value, _ in experiment.arms(SMOKE)["lossless"](0)}
        assert readings["budget"] == expected
        assert readings["speedup"] == 1.0
        assert len(seeds) == 2 and max(seeds) > 1000 and min(seeds) == 0


def test_answers_that_are_wrong_more_often_lose_something_at_any_loss(monkeypatch):
    for hits, expected in (([1.0, 1.0], True), ([1.0, 0.0], False)):
        given = iter(hits)
        monkeypatch.setattr(experiment, "answered", lambda *_, given=given: (0.5, next(given)))
        assert experiment.loses_nothing(None, [None, None], None, 0.5, 1.0) is expected


def test_what_cannot_be_compared_to_says_why():
    with pytest.raises(Unavailable, match="weights of a model of its own"):
        experiment.arms(SMOKE)["llmlingua-2"](0)


def test_a_model_that_does_not_fit_is_refused_with_its_name():
    from transformers import GPT2Config, GPT2LMHeadModel

    from presscheck.errors import BadInput

    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_head=2, n_layer=1, vocab_size=16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiment, "load", lambda *_: LanguageModel(model.eval(), None, "gpt2"))
        with pytest.raises(BadInput, match="GPT2LMHeadModel"):
            experiment.arms(run_of(model="gpt2"))
        patch.setattr(experiment, "load", lambda *_: LanguageModel(tiny_llama(layers=4), None, "shallow"))
        with pytest.raises(BadInput, match="at least 6 layers, got 4"):
            experiment.arms(run_of(model="shallow"))


def test_sizes_are_drawn_by_seed_and_hold_what_they_say(smollm):
    one, two, again = (of_documents(smollm, 400, seed) for seed in (0, 1, 0))
    assert torch.equal(one.ids, again.ids) and not torch.equal(one.answer, two.answer)
    assert 380 <= one.ids.shape[1] <= 400
    text, answer = smollm.tokenizer.decode(one.ids[0]), smollm.tokenizer.decode(one.answer[0]).strip()
    assert text.count("Document ") >= 8 and text.count("The code of ") == 9
    asked = text.rsplit("The code of ", 1)[1].removesuffix(" is")
    assert f"The code of {asked} is {answer}." in text and text.count(answer) == 1


def test_nothing_pruned_is_the_models_own_prediction_on_a_trained_model(smollm):
    """And a prompt of real text whose deep layers read a fifth: the mechanism at the model's own depth."""
    size = dataclasses.replace(SIZES["quick"], tokens=120)
    question = experiment.questions(smollm, size, 0, 1, 0)[0]
    assert experiment.exactness(smollm, question) < 1e-3
    prompt, cache = experiment.whole_answer(smollm, question.ids, PruneSchedule([(15, 0.4), (25, 0.2)]), 8)
    assert prompt == pytest.approx((15 + 10 * 0.4 + 5 * 0.2) / 30, abs=0.01)
    assert prompt < cache.work() <= 1
    assert cache.computed == [int(layer.present.sum()) for layer in cache.lazy]


def test_the_figure_draws_every_contender():
    rows = []
    for budget in BUDGETS:
        for name in ("lazy", "random", "recent", "static"):
            rows += [row(f"{name}-{budget}", "answer_nll", 1), row(f"{name}-{budget}", "exact_match", 1)]
        rows.append(row(f"lazy-{budget}", "ttft_seconds", 1))
    rows += [row("full", metric, 1) for metric in ("answer_nll", "exact_match", "ttft_seconds")]
    drawing = experiment.figure(Made(rows))
    lines = [len(axis.lines) for axis in drawing.axes]
    assert lines == [5, 5, 2]


def row(arm, metric, value):
    from presscheck.claims import Measurement

    return Measurement(arm=arm, metric=metric, value=float(value), unit="1", seed=0, round=0)


@dataclasses.dataclass
class Made:
    measurements: list
    seeds: tuple = (0,)
