"""The losses, the rows, the probes and the baselines of gist models."""

import math

import pytest
import torch

from presscheck.systems.gist_compression import (
    GistCausalLM,
    GistConfig,
    WeakDecoder,
    context_gap,
    fit_decoder,
    next_token_loss,
    probes,
    tasks,
    token_importance,
    training,
)
from presscheck.systems.gist_compression.autoencoding import intervals
from presscheck.systems.gist_compression.baselines import masked_logits, sink_mask
from presscheck.testbeds.language import tiny_llama


def text(tokens=60, batch=1, seed=0):
    return torch.randint(3, 128, (batch, tokens), generator=torch.Generator().manual_seed(seed))


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


# Autoencoding -----------------------------------------------------------------------


def test_each_gist_has_to_rebuild_its_own_interval():
    ids = torch.arange(20)[None]
    assert intervals(ids, torch.zeros(1, 4, 8), 5).tolist() == [list(range(i, i + 5)) for i in (0, 5, 10, 15)]
    for granularity in ("fine", "coarse"):
        lm = GistCausalLM(tiny_llama(), GistConfig(ratio=4, segment_len=8, granularity=granularity))
        gists = lm(ids).gists
        assert gists.shape[1] == (5 if granularity == "fine" else 4)


def test_with_gists_taken_away_nothing_can_be_rebuilt():
    """A decoder that saw raw tokens would go on rebuilding; ours says the same for every interval."""
    lm = GistCausalLM(tiny_llama(), GistConfig(ratio=4, segment_len=8, gist_init="random")).eval()
    decoder = fit_decoder(lm, [text(64, 4, seed=s) % 8 for s in range(120)], learning_rate=1e-2)
    ids = text(64, 8, seed=77) % 8
    with torch.no_grad():
        gists = lm(ids).gists
    rebuilt = decoder.rebuild(gists, lm.model)
    right = (rebuilt == ids).float().mean().item()
    blind = decoder.rebuild(torch.zeros_like(gists), lm.model).view(-1, 4)
    assert (blind == blind[0]).all()
    assert right > 0.3  # of 8 tokens: with its gist it does rebuild
    assert (blind.view_as(ids) == ids).float().mean() < 0.2
    assert probes.reconstruction_accuracy(decoder, lm, ids) == pytest.approx(right)


def test_a_token_of_an_interval_does_not_help_to_rebuild_itself():
    decoder = WeakDecoder(32, ratio=4).eval()
    gists, tokens = torch.randn(5, 32), torch.randn(5, 3, 32)
    moved = tokens.clone()
    moved[:, 1] += 1.0  # the second token: only what comes after it may change
    before, after = decoder(gists, tokens), decoder(gists, moved)
    torch.testing.assert_close(before[:, :2], after[:, :2])
    assert not torch.allclose(before[:, 2:], after[:, 2:])


def test_the_loss_of_a_decoder_that_knows_nothing_is_that_of_guessing():
    model = tiny_llama()
    torch.nn.init.zeros_(model.lm_head.weight)
    decoder = WeakDecoder(64, ratio=4)
    loss = decoder.loss(torch.randn(2, 3, 64), text(12, 2), model)
    assert loss.item() == pytest.approx(math.log(128), abs=1e-4)


def test_the_autoencoding_loss_reaches_what_makes_the_gists():
    lm = GistCausalLM(tiny_llama(), GistConfig(ratio=4, segment_len=8, ae_weight=0.5))
    output = lm(text(24), labels=text(24))
    torch.testing.assert_close(output.loss, output.lm_loss + 0.5 * output.ae_loss)
    output.ae_loss.backward()
    assert lm.gist.grad.abs().sum() > 0
    assert lm.model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_without_a_complete_interval_there_is_nothing_to_rebuild():
    lm = GistCausalLM(tiny_llama(), GistConfig(ratio=4, segment_len=8, ae_weight=1.0))
    assert lm(text(3), labels=text(3)).ae_loss.item() == 0.0


# Token importance -------------------------------------------------------------------


def test_the_gap_is_that_of_a_model_that_reads_each_segment_alone():
    model, ids = tiny_llama(), text(32, 2)
    gap = context_gap(model, ids, 8)
    assert (gap[:, :9].abs() < 1e-4).all()  # the first segment, and the token predicted at its end

    def log_p(ids):
        return model(ids).logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]

    with torch.no_grad():
        whole, alone = log_p(ids), log_p(ids[:, 16:25])
    torch.testing.assert_close(gap[:, 17:25], whole[:, 16:24] - alone, atol=1e-4, rtol=1e-3)


def test_weights_have_a_mean_of_one_and_none_falls_for_needing_context():
    model, ids = tiny_llama(), text(64, 2)
    gap, weights = context_gap(model, ids, 8), token_importance(model, ids, 8, alpha=2.0)
    assert weights[:, 1:].mean().item() == pytest.approx(1.0, abs=1e-5)
    order = gap[:, 1:].flatten().argsort()
    sorted_weights = weights[:, 1:].flatten()[order]
    assert (sorted_weights.diff() >= -1e-6).all() and sorted_weights[-1] > 1.5 * sorted_weights[0]
    assert torch.allclose(token_importance(model, ids, 8, alpha=0.0), torch.ones(2, 64))
    with pytest.raises(ValueError, match="alpha must not be negative"):
        token_importance(model, ids, 8, alpha=-1.0)


def test_tokens_without_a_label_take_no_part_in_the_means():
    model, ids = tiny_llama(), text(64)
    labels = ids.clone()
    labels[:, 20:40] = -100
    weights = token_importance(model, ids, 8, 2.0, labels)
    counted = labels != -100
    counted[:, 0] = False
    assert weights[counted].mean().item() == pytest.approx(1.0, abs=1e-5)


def test_weights_belong_to_the_token_that_is_predicted():
    logits, labels = torch.randn(1, 5, 9), torch.randint(9, (1, 5))
    each = torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none")
    weights = torch.tensor([[9.0, 0.0, 0.0, 4.0, 0.0]])
    torch.testing.assert_close(next_token_loss(logits, labels, weights), each[2] * 4 / 4)


# Rows -------------------------------------------------------------------------------

FORM = tasks.Form(segment_len=32, segments=3, digits=8, records=5)
ITEMS, QUESTIONS = range(96, 352), range(352, 368)
WORD = 368
KIND = {token: (token - 96) // 16 for token in ITEMS} | {token: token - 352 for token in QUESTIONS}


def test_what_is_asked_was_told_in_an_earlier_segment_and_nowhere_else():
    rows = tasks.recall_rows(FORM, 40, draw())
    assert rows.ids.shape == (40, 96) and rows.asked.sum() > 150
    for ids, asked in zip(rows.ids.tolist(), rows.asked.tolist(), strict=True):
        for place in (i for i, yes in enumerate(asked) if yes):
            assert place >= 64 and ids[place - 1] in QUESTIONS
            assert KIND[ids[place]] == KIND[ids[place - 1]]
            told = [i for i in range(64) if ids[i] in ITEMS and KIND[ids[i]] == KIND[ids[place]]]
            assert told and all(ids[i] == ids[place] for i in told)
            assert ids[place] not in ids[64:place]


def test_the_string_is_repeated_in_the_last_segment():
    rows = tasks.recall_rows(FORM, 40, draw())
    for ids, string in zip(rows.ids.tolist(), rows.string.tolist(), strict=True):
        again = [i for i, yes in enumerate(string) if yes]
        assert len(again) == 8 and again[0] >= 64 and ids[again[0] - 1] == tasks.MARK
        first = ids.index(tasks.MARK)
        assert first < 64 and ids[first + 1 : first + 9] == [ids[i] for i in again]


def test_labels_leave_out_what_nobody_can_know():
    rows = tasks.recall_rows(FORM, 40, draw())
    known = rows.labels != -100
    assert torch.equal(rows.labels[known], rows.ids[known])
    assert known[rows.asked].all() and known[rows.string].all()
    is_item = (rows.ids >= 96) & (rows.ids < 352)
    answers = torch.nn.functional.pad((rows.ids >= 352) & (rows.ids < 368), (1, -1))
    assert not known[(rows.ids >= 352) & (rows.ids < 368)].any()
    assert torch.equal(known[is_item], answers[is_item])  # an item that is new cannot be known


def test_surprises_are_values_of_another_topic():
    rows = tasks.recall_rows(FORM, 60, draw())
    share = rows.related.sum().item() / rows.asked.sum().item()
    assert 0.65 < share < 0.85 and not (rows.related & ~rows.asked).any()
    for ids, asked, related in zip(
        rows.ids.tolist(), rows.asked.tolist(), rows.related.tolist(), strict=True
    ):
        for place in (i for i, yes in enumerate(asked) if yes):
            told = ids.index(ids[place])
            topic = (ids[told + 1] - WORD) // 4  # the word behind the item
            assert related[place] == ((ids[place] - 96) % 16 // 4 == topic)


def test_every_label_of_a_drill_follows_from_its_row():
    rows = tasks.drill_rows(FORM, 20, draw())
    assert rows.ids.shape == (20, 96) and (rows.labels != -100).float().mean() > 0.4
    for ids, labels in zip(rows.ids.tolist(), rows.labels.tolist(), strict=True):
        for place in (i for i, label in enumerate(labels) if label != -100):
            assert labels[place] == ids[place]
            if place < 48:  # what came behind the same symbol before
                first = ids.index(ids[place - 1])
                assert ids[place] == ids[first + 1] or first == 15 and ids[place] == ids[0]
            else:
                assert ids[place] in ids[48:64] and KIND[ids[place]] == KIND[ids[place - 1]]


def test_rows_are_drawn_by_their_seed_and_prose_is_what_it_says():
    one, same, other = (tasks.recall_rows(FORM, 3, draw(seed)).ids for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    ids = tasks.encode("Ab~\n é")
    assert ids.tolist() == [34, 67, 95, 0, 1, 0]
    rows = tasks.prose_rows(torch.arange(200), FORM, 2, draw())
    assert (rows.ids.diff() == 1).all() and torch.equal(rows.ids, rows.labels)
    with pytest.raises(ValueError, match="the text has 96 tokens, a row 96"):
        tasks.prose_rows(torch.arange(96), FORM, 2, draw())
    with pytest.raises(ValueError, match="do not fit a segment of 16 tokens"):
        tasks.Form(segment_len=16, segments=3, digits=12)


# Probes -----------------------------------------------------------------------------


def says(table):
    """A model whose likeliest next token is table[token], however much it has seen."""
    return lambda ids: 20.0 * torch.nn.functional.one_hot(table[ids], 128).float()


def test_the_curve_is_of_the_place_that_predicts_and_leaves_out_the_first_segment():
    ids = text(32, 3)

    def worse(places):
        def logits_of(ids):
            logits = torch.zeros(*ids.shape, 128)
            for place in places:
                logits[:, place] = -20.0 * torch.nn.functional.one_hot(ids[:, place + 1], 128)
            return logits

        return logits_of

    flat = probes.position_curve(worse([]), worse([]), ids, 8)
    assert flat.shape == (8,) and torch.equal(flat, torch.zeros(8))
    curve = probes.position_curve(worse([0, 3, 8, 16, 24]), worse([]), ids, 8)
    assert curve[0] > 15 and torch.allclose(curve[1:], torch.zeros(7), atol=1e-5)
    with pytest.raises(ValueError, match="two at least, got 8 tokens"):
        probes.position_curve(worse([]), worse([]), ids[:, :8], 8)
    assert probes.boundary_ratio(torch.tensor([3.0, 2, 2, 2, 2, 2, 2, 1.5])) == pytest.approx(2.0)


def test_recall_counts_what_is_asked_and_nothing_else():
    successor = (torch.arange(128) + 1) % 128
    ids = torch.tensor([[5, 6, 7, 9, 10]])
    asked = torch.tensor([[False, True, False, True, False]])
    assert probes.recall_probe(says(successor), ids, asked) == 0.5
    related = torch.tensor([[False, True, False, False, False]])
    assert probes.surprise_probe(says(successor), ids, asked, related) == (1.0, 0.0)
    with pytest.raises(ValueError, match="at least one token"):
        probes.recall_probe(says(successor), ids, torch.zeros_like(asked))


def test_a_string_is_written_by_the_model_alone_after_its_start():
    """One wrong token throws the rest off, which feeding the right ones would hide."""
    ids = torch.tensor([[3, 10, 11, 12, 13], [4, 10, 11, 12, 13]])
    string = torch.tensor([[False, True, True, True, True]] * 2)

    def write_on(ids, n):
        for _ in range(n):
            step = torch.where(ids[:, :1] == 4, ids[:, -1:] + 2, ids[:, -1:] + 1)
            ids = torch.cat([ids, torch.where(ids[:, -1:] < 10, 10, step)], dim=1)
        return ids

    curve = probes.uuid_prefix_curve(write_on, ids, string)
    assert curve.tolist() == [1.0, 0.5, 0.5, 0.5]
    assert probes.slope(torch.tensor([1.0, 0.8, 0.6])) == pytest.approx(-0.2)
    with pytest.raises(ValueError, match="string of one length"):
        probes.uuid_prefix_curve(write_on, ids, string & (ids != 13) | (string & (ids[:, :1] == 3)))


# Baselines --------------------------------------------------------------------------


@pytest.mark.parametrize("granularity", ["fine", "coarse"])
def test_sinks_and_recent_tokens_have_the_room_of_gists_and_none_comes_back(granularity):
    config = GistConfig(ratio=2, segment_len=16, granularity=granularity)
    mask = sink_mask(64, config, sinks=4)
    lm = GistCausalLM(tiny_llama(), config)
    cache = lm.new_cache()
    for i in range(64):
        before = cache.tokens
        lm.read(text(64)[:, i : i + 1], cache)
        assert mask[i].sum() <= before + 1
        if i % 16 == 0 or i < 16:  # later in a segment gists make room for tokens that are gone already
            assert mask[i].sum() == min(i + 1, before + 1)
        assert mask[i, i] and mask[i, : min(4, i + 1)].all()
    later = mask.tril(-1)
    for j in range(64):
        column = later[j + 1 :, j]
        assert not (column[1:] & ~column[:-1]).any()
    with pytest.raises(ValueError, match="leave no room"):
        sink_mask(64, GistConfig(ratio=16, segment_len=16), sinks=4)


def test_a_mask_that_hides_nothing_changes_nothing():
    model, ids = tiny_llama(), text(20)
    allowed = torch.ones(20, 20, dtype=torch.bool).tril()
    torch.testing.assert_close(masked_logits(model, ids, allowed), model(ids).logits, atol=1e-5, rtol=1e-5)


# Training ---------------------------------------------------------------------------


def test_arms_go_on_from_the_same_base_and_leave_it_alone():
    base = training.small_llama(32, 1, 2)
    before = {name: value.clone() for name, value in base.state_dict().items()}
    rows = list(training.batches(FORM, tasks.encode("some prose, " * 50), 3, 4, seed=1))
    assert rows[0].ids.shape == (4, 96) and (rows[0].string.sum(1) > 0).tolist() == [False, False, True, True]
    config = GistConfig(ratio=4, segment_len=32, ae_weight=0.5, tie_alpha=1.0)
    state = torch.get_rng_state()
    one, two = (training.train_gist(base, config, rows, steps=3, learning_rate=1e-2) for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in base.state_dict().items())
    assert torch.equal(one.gist, two.gist) and not torch.equal(one.gist, one.gist * 0)
    assert not torch.equal(one.model.lm_head.weight, base.lm_head.weight)


def test_training_lowers_the_loss_of_a_gist_model():
    base = training.small_llama(32, 1, 2)
    rows = list(training.batches(FORM, None, 1, 8, seed=1)) * 40
    config = GistConfig(ratio=4, segment_len=32)

    def loss(lm):
        with torch.no_grad():
            return lm(rows[0].ids, rows[0].labels).loss.item()

    untrained = loss(GistCausalLM(base, config))
    trained = loss(training.train_gist(base, config, rows, steps=40, learning_rate=1e-2))
    assert trained < 0.8 * untrained
