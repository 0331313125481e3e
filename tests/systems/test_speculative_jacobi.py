"""Speculative Jacobi decoding over functions of logits: exactness, the window's bookkeeping, filters."""

import itertools

import pytest
import torch

from presscheck.systems.speculative_jacobi import (
    Chain,
    Rows,
    SpeculativeJacobiSampler,
    accept_prefix,
    from_logits,
    only,
    residual,
    temperature,
    top_k,
)
from presscheck.systems.speculative_jacobi.criterion import acceptance, probabilities
from presscheck.systems.speculative_jacobi.law import Table, enumerate_law, frequencies, total_variation


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def laws(rows, vocab, seed=0):
    return torch.rand(rows, vocab, generator=rng(seed), dtype=torch.float64).softmax(-1)


def of_table(table, *, seed=0, **settings):
    """One sample of a table by a sampler, as a function without arguments."""
    sampler = SpeculativeJacobiSampler(table.step(), **{"window": 3, "generator": rng(seed)} | settings)
    return lambda: sampler.generate([0], table.length, 2).tokens.tolist()


# The criterion ------------------------------------------------------------------------


def test_a_draft_is_kept_as_often_as_the_ratio_says():
    p, q = torch.tensor([[0.2, 0.8]]).double(), torch.tensor([[0.5, 0.5]]).double()
    source = rng()
    kept = sum(accept_prefix(p, q, torch.tensor([0]), source) for _ in range(4000)) / 4000
    assert abs(kept - 0.4) < 0.03
    assert acceptance(p, q, torch.tensor([1])).item() == 1.0


def test_the_prefix_ends_at_the_first_refusal():
    p = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]).double()
    q = torch.full((3, 2), 0.5).double()
    assert accept_prefix(p, q, torch.tensor([0, 0, 0]), rng()) == 1
    assert accept_prefix(p, q, torch.tensor([0, 1, 0]), rng()) == 3
    assert accept_prefix(p[:0], q[:0], torch.tensor([], dtype=torch.long), rng()) == 0


def test_accepted_and_replaced_drafts_together_follow_the_model():
    """min(p, q) plus refusals times the residual is p, for every token: what makes the test exact."""
    p, q = laws(1, 7), laws(1, 7, seed=1)
    kept = torch.minimum(p, q)[0]
    torch.testing.assert_close(kept + (1 - kept.sum()) * residual(p[0], q[0]), p[0])


def test_a_residual_that_is_empty_is_the_model_itself():
    p = laws(1, 5)[0]
    assert torch.equal(residual(p, p), p)


def test_tiny_probabilities_are_compared_in_double_precision():
    """1e-9 against 2e-9 beside a token of almost 1: float32 softmax keeps the ratio, 1 - p would not."""
    p = torch.tensor([[1 - 1e-9, 1e-9]]).double()
    q = torch.tensor([[1 - 2e-9, 2e-9]]).double()
    assert residual(q[0], p[0])[1].item() == pytest.approx(1.0)
    assert acceptance(p, q, torch.tensor([1])).item() == pytest.approx(0.5)


# Exactness ----------------------------------------------------------------------------

SETTINGS = [
    {"init": "repeat_left"},
    {"init": "repeat_above"},
    {"init": "sample_left"},
    {"init": "sample_left", "draft_q": "proposal"},
    {"init": "repeat_left", "filter": Chain(temperature(0.7), top_k(2))},
    {"init": "repeat_left", "mode": "jacobi"},
    {"init": lambda window: (window.position * 2) % 3, "window": 4},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s))[:40])
def test_every_path_through_the_sampler_adds_up_to_the_models_law(settings):
    """All draws and verdicts enumerated: no noise, so a wrong rule cannot hide behind a threshold."""
    table = Table(3, 3, seed=1)
    found = enumerate_law(of_table(table, **settings))
    assert sum(found.values()) == pytest.approx(1.0)
    assert total_variation(found, table.law(settings.get("filter"))) < 1e-9


@pytest.mark.parametrize("mistake", ["no residual", "stale drafts"])
def test_the_two_classic_mistakes_show(mistake):
    table = Table(3, 4 if mistake == "stale drafts" else 3, seed=1)
    sample = of_table(table, init="repeat_left", filter=top_k(2) if table.length == 4 else None)
    law = table.law(top_k(2) if table.length == 4 else None)
    assert total_variation(enumerate_law(sample, mistake), law) > 0.01


def test_filters_of_drafts_and_verdicts_must_be_the_same_and_are():
    """With top-k only at the verdict, as a step that filters itself every second pass, the law is off."""
    table, calls = Table(3, 3, seed=1), itertools.count()

    def now_and_then(positions, logits):
        return top_k(2)(positions, logits) if next(calls) % 2 else logits

    def sample():
        nonlocal calls
        calls = itertools.count()
        return of_table(table, init="repeat_left", filter=now_and_then)()

    assert total_variation(enumerate_law(sample), table.law(top_k(2))) > 0.01


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "ar"},
        {"init": "random"},
        {"init": "random", "draft_q": "proposal"},
        {"mode": "gumbel_jacobi"},
    ],
    ids=str,
)
def test_real_draws_follow_the_models_law(settings):
    """1500 draws, 16 sequences: an exact sampler's total variation is 0.04 at most, and rarely above 0.06."""
    table = Table(2, 4, seed=2)
    shares = frequencies(of_table(table, **settings), 1500)
    assert total_variation(shares, table.law()) < 0.06


# The window ---------------------------------------------------------------------------


def fixed(sequence, vocab=5):
    """A deterministic model that pays no heed to what it is given."""

    def rows(tokens):
        logits = torch.full((len(tokens), vocab), -torch.inf)
        logits[torch.arange(len(tokens)), sequence[: len(tokens)]] = 0.0
        return logits

    return from_logits(rows)


def test_without_context_no_draft_that_the_model_has_spoken_about_is_refused():
    """Passes alternate between one token, new drafts refused, and a whole window."""
    sequence = torch.randint(5, (80,), generator=rng())
    never = SpeculativeJacobiSampler(fixed(sequence, 6), window=8, init=lambda window: 5)
    output = never.generate([0], 80)
    assert torch.equal(output.tokens, sequence)
    assert output.accepted_per_step[:6] == (1, 1, 8, 1, 8, 1)
    assert output.n_forward == 1 + 2 * 8 + 2  # eight pairs of 9 tokens, then 7 tokens in a pair


@pytest.mark.parametrize("mode", ["ar", "jacobi", "sjd", "gumbel_jacobi"])
@pytest.mark.parametrize("window", [2, 5, 16])
def test_a_deterministic_model_gives_its_greedy_sequence_in_every_mode(mode, window):
    """Context-dependent: the next token is 3 times the last plus 1, plus the last but two."""

    def rows(tokens):
        back = torch.cat([torch.zeros(2, dtype=torch.long), tokens])[:-2]
        return torch.nn.functional.one_hot((3 * tokens + 1 + back) % 7, 7).float().log()

    greedy = [2]
    for _ in range(40):
        greedy.append(int(rows(torch.tensor(greedy))[-1].argmax()))
    output = SpeculativeJacobiSampler(from_logits(rows), window=window, mode=mode).generate([2], 40)
    assert output.tokens.tolist() == greedy[1:]
    assert output.n_forward <= 40


def contextual(vocab=6, seed=0):
    """Logits that depend on the last three tokens."""
    weight = 2 * torch.randn(vocab**3, vocab, generator=rng(seed))

    def rows(tokens):
        padded = torch.cat([torch.zeros(2, dtype=torch.long), tokens])
        return weight[(padded[:-2] * vocab + padded[1:-1]) * vocab + padded[2:]]

    return from_logits(rows)


@pytest.mark.parametrize("init", ["random", "repeat_left"])
def test_with_coupled_noise_jacobi_gives_the_ancestral_sample_token_for_token(init):
    for seed in range(5):
        one, other = (
            SpeculativeJacobiSampler(
                contextual(), mode=mode, window=7, init=init, generator=rng(seed)
            ).generate([1], 90)
            for mode in ("ar", "gumbel_jacobi")
        )
        assert torch.equal(one.tokens, other.tokens)
        assert one.n_forward == 90 > other.n_forward


@pytest.mark.parametrize("mode", ["ar", "jacobi", "sjd", "gumbel_jacobi"])
def test_an_equal_generator_gives_an_equal_sample(mode):
    outputs = [
        SpeculativeJacobiSampler(contextual(), mode=mode, generator=rng(s)).generate([1], 30)
        for s in (3, 3, 4)
    ]
    assert torch.equal(outputs[0].tokens, outputs[1].tokens)
    assert not torch.equal(outputs[0].tokens, outputs[2].tokens)


def counted(step):
    calls = []

    def counting(tokens, past):
        calls.append((len(tokens), past))
        return step(tokens, past)

    return counting, calls


@pytest.mark.parametrize("mode", ["ar", "jacobi", "sjd", "gumbel_jacobi"])
def test_passes_are_counted_alike_and_no_token_beyond_the_last_is(mode):
    """The prompt is a pass in every mode; bonus tokens beyond n are neither made nor counted."""
    step, calls = counted(contextual())
    output = SpeculativeJacobiSampler(step, mode=mode, window=9, generator=rng(2)).generate([1, 2, 3], 50)
    assert output.n_forward == len(calls) == len(output.trace)
    assert len(output.tokens) == sum(output.accepted_per_step) == 50
    assert output.compression == 50 / len(calls)
    assert output.cost.sum().item() == pytest.approx(output.n_forward)
    assert calls[0] == (3, 0)
    done = 1
    for one, (fed, past) in zip(output.trace[1:], calls[1:], strict=True):
        assert past == 3 + done - 1 == 3 + one.position - 1
        assert fed == one.drafts + 1 <= min(1 if mode == "ar" else 9, 50 - done)
        assert one.fresh <= one.accepted == len(one.tokens) - 1 <= one.drafts
        done += len(one.tokens)


def test_a_uniform_proposal_accepts_more_initial_tokens_than_certainty():
    """Broad conditionals: the sum of min(p, 1/V) against 1/V."""
    flat = from_logits(lambda tokens: torch.zeros(len(tokens), 6))
    one, other = (
        SpeculativeJacobiSampler(flat, window=8, draft_q=q, generator=rng()).generate([0], 200).n_forward
        for q in ("one_hot", "proposal")
    )
    assert other == 1 + -(-199 // 8)
    assert one > 1.5 * other


def test_tokens_from_the_left_and_from_above_are_where_the_grid_says():
    seen = []

    def look(window):
        seen.append((window.position, window.tokens.clone(), window.grid_width))
        return int(window.tokens[-4])

    sequence = torch.arange(4).repeat(6)  # each row of four is the row above it
    by_hand = SpeculativeJacobiSampler(
        fixed(sequence), window=5, init=lambda w: look(w) if w.position > 3 else 4
    )
    above = SpeculativeJacobiSampler(fixed(sequence), window=5, init="repeat_above")
    left = SpeculativeJacobiSampler(fixed(sequence), window=5, init="repeat_left")
    assert above.generate([0], 24, 4).n_forward < left.generate([0], 24, 4).n_forward
    by_hand.generate([0], 24, 4)
    assert all(position == len(tokens) and width == 4 for position, tokens, width in seen)
    rows = SpeculativeJacobiSampler(fixed(torch.arange(5).repeat_interleave(6)), window=5, init="repeat_left")
    output = rows.generate([0], 30, 6)
    # Within a run the copies are right, and known to be drafts that the model had not spoken about.
    assert output.trace[1].fresh == output.trace[1].accepted == 4


# Positions and filters ----------------------------------------------------------------


def test_filters_are_told_the_position_of_every_row():
    """Position n allows the token n mod 5 only: an output off by one would show at once."""

    def only_here(positions, logits):
        return logits.masked_fill(torch.arange(5) != (positions % 5)[:, None], -torch.inf)

    flat = from_logits(lambda tokens: torch.zeros(len(tokens), 5))
    sampler = SpeculativeJacobiSampler(flat, window=6, filter=only_here, generator=rng())
    assert sampler.generate([4, 4, 4], 23).tokens.tolist() == [n % 5 for n in range(23)]


def test_separators_stand_at_the_ends_of_rows_and_cost_no_pass():
    """Also where random tokens may not be separators: forced drafts are made of the forced token."""
    grid = Rows(4, 6, 9, low=0, high=8)
    flat = from_logits(lambda tokens: torch.zeros(len(tokens), 10))
    sampler = SpeculativeJacobiSampler(
        flat, window=7, filter=grid, high=8, draft_q="proposal", generator=rng()
    )
    output = sampler.generate([8], grid.tokens, grid.width)
    tokens = output.tokens.view(4, 7)
    assert (tokens[:, 6] == 9).all() and (tokens[:, :6] < 8).all()
    assert output.n_forward == 1 + -(-27 // 7)  # proposal equals model: every draft is kept
    assert torch.equal(grid.image(output.tokens), tokens[:, :6])


def test_a_separator_that_the_model_finds_impossible_is_forced_all_the_same():
    """Also behind top-k, which would have left no token: the sum of probabilities stays 1."""
    grid = Rows(2, 2, 3, low=0, high=3)
    never = from_logits(lambda tokens: torch.tensor([[1.0, 0.5, 0.0, -torch.inf]]).repeat(len(tokens), 1))
    for filter in (Chain(top_k(1), grid), Chain(grid, top_k(1))):
        assert Chain(filter, temperature(1)).token_at(2) == 3
        output = SpeculativeJacobiSampler(never, filter=filter, generator=rng()).generate([0], 6)
        assert output.tokens.tolist() == [0, 0, 3, 0, 0, 3]


def test_top_k_counts_and_temperature_zero_is_greedy():
    logits = torch.tensor([[0.0, 3.0, 1.0, 2.0]])
    assert torch.isfinite(top_k(2)(None, logits)).tolist() == [[False, True, False, True]]
    assert probabilities(temperature(0)(None, logits)).tolist() == [[0, 1, 0, 0]]
    assert torch.isfinite(only(1, 3)(None, logits)).tolist() == [[False, True, True, False]]
    assert torch.equal(temperature(2)(None, logits), logits / 2)


# Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"window": 1}, "window must be at least 2, got 1"),
        ({"mode": "beam"}, "mode must be one of ar, jacobi"),
        ({"init": "copy"}, "init must be one of random"),
        ({"draft_q": "uniform"}, "draft_q must be one_hot or proposal"),
        ({"low": 3, "high": 3}, "no token to draw from 3 to 3"),
    ],
)
def test_settings_out_of_range_are_named(settings, says):
    with pytest.raises(ValueError, match=says):
        SpeculativeJacobiSampler(contextual(), **settings)


@pytest.mark.parametrize(
    ("settings", "call", "says"),
    [
        ({}, ([[1, 2]], 4), r"one sequence \(p,\) of at least one token, got \(1, 2\)"),
        ({}, ([], 4), "at least one token"),
        ({}, ([1], 0), "n_tokens must be at least 1"),
        ({}, ([1], 4, 0), "grid_width must be at least 1"),
        ({"init": "repeat_above"}, ([1], 4), "needs grid_width"),
        ({"high": 7}, ([1], 4), "do not fit a vocabulary of 6"),
        ({"init": lambda window: 6}, ([1], 4), "gave the token 6 for position 1: the vocabulary has 6"),
        ({"filter": only(2, 9)}, ([1], 4), r"only\(2, 9\) is outside of a vocabulary of 6"),
        ({"filter": Rows(2, 2, 6, low=0, high=5)}, ([1], 4), "do not fit a vocabulary of 6"),
    ],
)
def test_calls_that_do_not_fit_are_named(settings, call, says):
    with pytest.raises(ValueError, match=says):
        SpeculativeJacobiSampler(contextual(), **settings).generate(*call)


def test_a_prompt_outside_of_the_vocabulary_is_refused():
    flat = from_logits(lambda tokens: torch.zeros(len(tokens), 5))
    with pytest.raises(ValueError, match="token 5, the model's logits are over 5"):
        SpeculativeJacobiSampler(flat).generate([5], 4)


@pytest.mark.parametrize(
    ("value", "says"), [(-torch.inf, "no token left"), (torch.nan, "logits that are no num")]
)
def test_a_position_without_a_token_is_named(value, says):
    def hole(positions, logits):
        return torch.where((positions == 3)[:, None], value, logits)

    with pytest.raises(ValueError, match=f"position 3 has {says}"):
        SpeculativeJacobiSampler(contextual(), filter=hole, generator=rng()).generate([1], 8)


def test_a_step_with_logits_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"logits of shape \(1, 1, 5\) for 1 tokens"):
        SpeculativeJacobiSampler(lambda tokens, past: torch.zeros(1, len(tokens), 5)).generate([0], 3)
    with pytest.raises(ValueError, match="vocabulary changed from 5 to 6"):
        SpeculativeJacobiSampler(lambda tokens, past: torch.zeros(len(tokens), 5 + (past > 0))).generate(
            [0], 3
        )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: temperature(-1), "temperature must be at least 0"),
        (lambda: top_k(0), "top_k must be at least 1"),
        (lambda: only(3, 3), "keeps nothing"),
        (lambda: Rows(0, 3, None, low=0, high=3), "no grid"),
        (lambda: Rows(2, 3, 2, low=0, high=3), "separator 2 must be a token outside of 0 to 2"),
    ],
)
def test_filters_out_of_range_are_named(make, says):
    with pytest.raises(ValueError, match=says):
        make()
