"""The experiment's own parts: arms by their names, what they share, the gate, and the command that trains."""

import pytest
import torch

from presscheck.bench.run import Run, Unavailable
from presscheck.systems.gist_compression import GistCausalLM, experiment, train
from presscheck.testbeds.language import tiny_llama

SMOKE = experiment.SIZES["smoke"]


def test_an_arm_is_what_its_name_says():
    config = experiment.settings("fine-kv-16+ae+tie", SMOKE.form)
    assert (config.ratio, config.granularity, config.memory) == (16, "fine", "kv")
    assert config.ae_weight > 0 and config.tie_alpha > 0
    config = experiment.settings("coarse-rec-4", SMOKE.form)
    assert (config.granularity, config.memory, config.ae_weight, config.tie_alpha) == (
        "coarse",
        "recurrent",
        0,
        0,
    )


def test_training_and_held_out_rows_differ_and_change_with_the_seed():
    trained = {
        tuple(row) for seed in (0, 1) for rows in experiment.rows_of(SMOKE, seed) for row in rows.ids.tolist()
    }
    for seed in (0, 1):
        for rows in (experiment.held_out(SMOKE, seed), experiment.held_out_prose(SMOKE, seed)):
            assert not trained & {tuple(row) for row in rows.ids.tolist()}
    assert not torch.equal(experiment.held_out(SMOKE, 0).ids, experiment.held_out(SMOKE, 1).ids)


def test_full_attention_has_as_many_updates_on_the_same_rows(monkeypatch):
    seen = {}

    def watch(name):
        real = getattr(experiment, name)

        def watched(model, *args, **options):
            rows = args[-1]
            if isinstance(rows, list):  # not the base's own training
                seen[name] = (rows, options["steps"], options["learning_rate"])
            return real(model, *args, **options)

        monkeypatch.setattr(experiment, name, watched)

    watch("train_full")
    watch("train_gist")
    size = experiment.Size(**{**vars(SMOKE), "rate": 2e-3})  # of which nothing is trained yet
    experiment.full_model(size, 1)
    experiment.gist_model(size, 1, "fine-kv-4")
    assert seen["train_full"][0] is seen["train_gist"][0]
    assert seen["train_full"][1:] == seen["train_gist"][1:] == (2, 2e-3)


def test_below_the_gate_every_arm_says_that_it_was_not_trained_enough(monkeypatch):
    strict = experiment.Size(**{**vars(SMOKE), "gate": 1.1})
    monkeypatch.setitem(experiment.SIZES, "smoke", strict)
    arms = experiment.arms(Run(size="smoke", seeds=(0,)))
    for name in ("full", "fine-kv-4", "sinks-4", "kvpress-snapkv-4"):
        with pytest.raises(Unavailable, match="not trained enough: full attention recalls"):
            list(arms[name](0))
    arms["kvpress-snapkv-4"].close()


def test_arms_of_a_larger_size_say_so():
    arms = experiment.arms(Run(size="quick", seeds=(0,)))
    with pytest.raises(Unavailable, match="not part of `quick`"):
        list(arms["fine-kv-16"](0))


def test_the_command_makes_an_arm_again(tmp_path, capsys):
    out = tmp_path / "gists"
    assert train.main(["--arm", "fine-kv-4+ae", "--size", "smoke", "--out", str(out)]) == 0
    made = GistCausalLM.load(out)
    again = experiment.gist_model(SMOKE, 0, "fine-kv-4+ae")
    ids = experiment.held_out(SMOKE, 0).ids
    torch.testing.assert_close(made(ids).logits, again(ids).logits)
    assert sum(path.stat().st_size for path in out.iterdir()) < 5_000_000
    assert "recall" in capsys.readouterr().out
    assert train.main(["--arm", "fine-kv-4", "--size", "smoke", "--out", str(out)]) == 2
    assert "exists: name a folder that does not" in capsys.readouterr().err
    assert train.main(["--arm", "sinks-4", "--size", "smoke", "--out", str(tmp_path / "x")]) == 2
    assert "no gist model of this size" in capsys.readouterr().err


def test_ones_own_model_is_trained_on_ones_own_text():
    from types import SimpleNamespace

    from presscheck.systems.gist_compression import GistConfig

    options = SimpleNamespace(segments=2, steps=30, batch=4, rate=3e-3)
    ids = torch.arange(300) % 7 + 3
    config = GistConfig(ratio=4, segment_len=16, ae_weight=0.1, tie_alpha=1.0)
    lm = train.train_on_text(tiny_llama(), ids, config, options)
    row = ids[None, :32]
    with torch.no_grad():
        assert lm(row, row).lm_loss < 0.5 < GistCausalLM(tiny_llama(), config)(row, row).lm_loss
    with pytest.raises(ValueError, match="the text has 30 tokens, need more than 32"):
        train.train_on_text(tiny_llama(), ids[:30], config, options)


def test_the_figure_has_a_curve_for_each_kind_of_gist():
    from presscheck.bench.run import Rounds

    arms = experiment.arms(Run(size="smoke", seeds=(0,)))
    kept = {name: arm for name, arm in arms.items() if name in ("full", "fine-kv-4", "coarse-kv-4")}
    arms["kvpress-snapkv-4"].close()
    rounds = Rounds(kept, Run(size="smoke", seeds=(0, 1), warmup=0))
    rounds.go(lambda arm: None, lambda: None)
    assert not rounds.skipped

    class Record:
        measurements = rounds.rows

    drawing = experiment.figure(Record)
    assert [len(axes.lines) for axes in drawing.axes] == [3, 3, 3]
