"""EvoPress: the budget of every profile, the search on known tables, models put back and saved."""

import hashlib
import itertools
import random
import re
from importlib.resources import files

import pytest
import torch

from presscheck.systems.evopress import (
    CompressionSpace,
    DepthSpace,
    EvoPress,
    KLFitness,
    LevelSpace,
    TableFitness,
    allocate,
    average_level,
    bit_database,
    cosine_scores,
    divergence,
    drop_least,
    dynamic_programming,
    greedy,
    input_norms,
    layer_errors,
    prune_model,
    random_search,
    removals,
    save,
    sparsity_database,
    window_cosine,
)
from presscheck.systems.evopress.levels import round_to_nearest, sparsify
from presscheck.testbeds.language import tiny_llama


def ids(sequences=4, tokens=16, seed=0):
    return torch.randint(3, 128, (sequences, tokens), generator=torch.Generator().manual_seed(seed))


def state(model):
    """What a model is: weights, and where a forward is replaced."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return digest.hexdigest(), [n for n, m in model.named_modules() if "forward" in vars(m)], hooks


def mixed():
    """Two groups of units, of four levels."""
    cost = [(2, 4, 6, 8)] * 4 + [(30, 60, 90, 120)] * 3
    return CompressionSpace(
        "abcdefg", (1, 2, 3, 4), cost, {"small": 5, "large": 4}, ["small"] * 4 + ["large"] * 3
    )


def everything(space):
    levels = range(len(space.levels))
    return [p for p in itertools.product(levels, repeat=len(space.units)) if space.is_feasible(p)]


# The space --------------------------------------------------------------------------


def test_ten_thousand_mutations_keep_the_budget():
    space, rng = mixed(), random.Random(0)
    profile = space.random_feasible(rng)
    for _ in range(10_000):
        profile = space.mutate(profile, rng, rng.randint(1, 3))
        assert space.is_feasible(profile)
        assert space.total_cost(profile) == space.budget


def test_one_switch_moves_two_units_of_one_group_by_one_level():
    space, rng = mixed(), random.Random(1)
    for _ in range(500):
        parent = space.random_feasible(rng)
        child = space.mutate(parent, rng)
        moved = {i: b - a for i, (a, b) in enumerate(zip(parent, child, strict=True)) if a != b}
        assert sorted(moved.values()) == [-1, 1]
        assert len({space.groups[i] for i in moved}) == 1


def test_every_feasible_profile_can_be_reached_from_any_other():
    space, rng = mixed(), random.Random(2)
    every = everything(space)
    reached, edge = {every[0]}, [every[0]]
    while edge:
        near = {space.mutate(p, rng) for p in edge for _ in range(120)} - reached
        reached |= near
        edge = list(near)
    assert reached == set(every)
    assert space.size() == len(every)


def test_random_profiles_cover_the_space():
    space, rng = mixed(), random.Random(3)
    drawn = [space.random_feasible(rng) for _ in range(20_000)]
    assert all(map(space.is_feasible, drawn))
    for group in (slice(0, 4), slice(4, 7)):
        assert {p[group] for p in drawn} == {p[group] for p in everything(space)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"totals": {0: 7}}, "infeasible budget"),
        ({"totals": {0: -1}}, "infeasible budget"),
        ({"totals": {0: 6}}, "single profile"),
        ({"totals": {1: 2}}, "totals are of groups"),
        ({"cost": [(1, 2, 3), (1, 2, 3), (2, 3, 4)]}, "must cost the same"),
        ({"cost": [(1, 2, 4)] * 3}, "equal steps"),
        ({"cost": [(3, 2, 1)] * 3}, "equal steps"),
    ],
)
def test_a_space_whose_budget_a_switch_would_break_is_refused(change, said):
    given = {"units": "abc", "levels": (1, 2, 3), "cost": [(1, 2, 3)] * 3, "totals": {0: 3}}
    with pytest.raises(ValueError, match=said):
        CompressionSpace(**given | change)


# The search -------------------------------------------------------------------------


def table(n=10, drop=3, seed=0):
    rng = random.Random(seed)
    space = CompressionSpace(range(n), (0, 1), [(0, 1)] * n, {0: n - drop})
    return space, {p: rng.choice(range(1, 40)) / 40 for p in everything(space)}


def test_the_search_finds_the_optimum_of_a_table_with_ties_and_counts_what_it_spent():
    space, scores = table()
    result = EvoPress(
        space, TableFitness(scores), offspring=12, stages=((3, 1), (1, 4)), initial=8, initial_tokens=2,
        generations=80,
    ).run()  # fmt: skip
    assert result.fitness == min(scores.values())
    assert result.evaluations == 8 + 80 * (12 + 3 + 1)
    assert result.tokens == 8 * 2 + 80 * (12 * 1 + 4 * 4)
    assert result.evaluations_to(result.fitness) < result.evaluations
    assert result.evaluations_to(0.0) is None
    # The parent is in every last stage, so on one batch the score never gets worse.
    held = [step.fitness for step in result.history]
    assert held == sorted(held, reverse=True)


class Drifting:
    """A fitness whose batches differ by far more than its profiles."""

    def __init__(self):
        self.batches = 0
        self.calls = []

    def draw(self, rng, tokens):
        self.batches += 1
        return self.batches, tokens

    def __call__(self, profiles, batch):
        self.calls.append((batch, list(profiles)))
        return [profile[0] + 10.0 * (batch[0] < 4) for profile in profiles]


def test_the_parent_is_scored_again_on_the_batch_of_the_last_stage():
    space, _ = table()
    fitness = Drifting()
    best = (0, 0, 0, *[1] * 7)
    result = EvoPress(
        space, fitness, offspring=5, stages=((2, 1), (1, 3)), initial=0, start=[best], generations=6
    ).run()
    assert result.best[0] == 0  # never lost to offspring that merely met a kinder batch
    batches = [batch for batch, _ in fitness.calls]
    assert len({number for number, _ in batches}) == 12  # every stage draws its own
    for (_, tokens), profiles in fitness.calls:
        assert len(profiles) == (5 if tokens == 1 else 3)
    for (_, first), (_, last) in zip(fitness.calls[::2], fitness.calls[1::2], strict=True):
        assert last[-1] not in first and set(last[:-1]) < set(first)


def test_an_offspring_as_good_takes_the_parents_place():
    space, scores = table()
    flat = TableFitness(dict.fromkeys(scores, 1.0))
    start = next(iter(scores))
    result = EvoPress(
        space, flat, offspring=4, stages=((1, 1),), initial=0, start=[start], generations=3
    ).run()
    assert len({start, *(step.profile for step in result.history)}) == 4


def test_offspring_are_distinct_and_fewer_where_there_are_no_more():
    space, scores = table(n=4, drop=1)
    fitness = Drifting()
    EvoPress(
        space, fitness, offspring=50, stages=((1, 1),), initial=0, start=[next(iter(scores))], generations=1
    ).run()
    ((_, children),) = fitness.calls
    assert len(children) == 4 == len(set(children))  # three offspring and the parent


def test_no_method_reads_more_than_its_budget():
    space, scores = table()
    fitness = Drifting()
    result = EvoPress(
        space, fitness, offspring=8, stages=((2, 4), (1, 16)), initial=10, initial_tokens=4,
        generations=999, max_tokens=500,
    ).run()  # fmt: skip
    assert result.tokens == sum(tokens * len(profiles) for (_, tokens), profiles in fitness.calls)
    assert 500 - (8 * 4 + 3 * 16) < result.tokens <= 500
    found = random_search(space, TableFitness(scores), tokens=4, max_tokens=50)
    assert (found.evaluations, found.tokens) == (12, 48)
    whole = random_search(space, TableFitness(scores), tokens=1, max_tokens=10_000)
    assert whole.fitness == min(scores.values()) and whole.evaluations <= len(scores)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stages": ((4, 1), (2, 2))}, "last stage must keep 1"),
        ({"stages": ()}, "last stage must keep 1"),
        ({"stages": ((9, 1), (1, 2))}, "survivors cannot grow"),
        ({"stages": ((1, 0),)}, "must be positive"),
        ({"initial": 0}, "needs initial profiles"),
        ({"start": [(1,) * 10]}, "not feasible"),
        ({"max_tokens": 3}, "pass max_tokens"),
    ],
)
def test_a_search_that_cannot_be_is_refused(change, said):
    space, scores = table()
    given = {"offspring": 8, "stages": ((2, 1), (1, 2)), "initial": 4, "initial_tokens": 1}
    with pytest.raises(ValueError, match=said):
        EvoPress(space, TableFitness(scores), **given | change)


# Fitness ----------------------------------------------------------------------------


def test_the_divergence_is_of_the_compressed_from_the_dense():
    from scipy.stats import entropy

    dense, other = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0)).unbind()
    p, q = dense.double().softmax(-1), other.double().softmax(-1)
    torch.testing.assert_close(divergence(dense, other), torch.tensor(entropy(p, q, axis=-1)).float())
    assert not torch.allclose(divergence(dense, other), divergence(other, dense))


def test_top_k_looks_at_the_dense_models_tokens_in_both():
    from scipy.stats import entropy

    dense = torch.tensor([[4.0, 3.0, 0.0, 0.0, -1.0]])
    other = torch.tensor([[0.0, 1.0, 5.0, 6.0, 7.0]])
    p, q = dense[:, :2].softmax(-1), other[:, :2].softmax(-1)
    torch.testing.assert_close(divergence(dense, other, top_k=2), torch.tensor(entropy(p, q, axis=-1)))


def spaces(model):
    return {
        "blocks": DepthSpace(model, 2),
        "spans": DepthSpace(model, 1, span=2),
        "halves": DepthSpace(model, 0.5, granularity="subblock"),
        "bits": LevelSpace(model, bit_database(model, group=32), 3.0),
        "sparsity": LevelSpace(model, sparsity_database(model, norms=input_norms(model, ids())), 0.5),
    }


KINDS = ("blocks", "spans", "halves", "bits", "sparsity")


@pytest.fixture(scope="module")
def model():
    return tiny_llama(layers=6)


@pytest.fixture(scope="module")
def made(model):
    return spaces(model)


@pytest.mark.parametrize("kind", KINDS)
def test_shared_scores_are_those_of_each_profile_alone(model, made, kind):
    """Many candidates at once, in runs of blocks they share, against the whole model one by one."""
    space, rng = made[kind], random.Random(kind)
    profiles = [space.random_feasible(rng)]
    profiles += [space.mutate(profiles[0], rng) for _ in range(5)] + [space.random_feasible(rng)]
    text = ids(4)
    fitness = KLFitness(space, text, stride=4, chunk=3)
    shared = fitness(profiles, (2, 0))
    with torch.no_grad():
        dense = model(text[[2, 0]]).logits[:, 3::4]
        for profile, score in zip(profiles, shared, strict=True):
            with space.apply(profile):
                logits = model(text[[2, 0]]).logits[:, 3::4]
            assert score == pytest.approx(divergence(dense, logits).mean().item(), abs=1e-5)
    assert max(shared) > 1e-3


def test_blocks_that_candidates_share_run_once(model):
    space = DepthSpace(model, 2)
    fitness = KLFitness(space, ids(1))
    early, late = (1, 1, 1, 1, 0, 0), (1, 1, 1, 0, 1, 0)
    fitness([early], (0,))  # with the targets
    before = fitness.blocks_run
    fitness([early, late], (0,))
    assert fitness.blocks_run - before == 3 + 1 + 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_and_an_exception_leave_the_model_as_it_was(model, made, kind):
    before, space = state(model), made[kind]
    fitness = KLFitness(space, ids(4), stride=4)
    EvoPress(
        space, fitness, offspring=3, stages=((2, 16), (1, 32)), initial=3, initial_tokens=16, generations=2
    ).run()
    profile = space.random_feasible(random.Random(0))
    with pytest.raises(RuntimeError, match="inside"), space.apply(profile):
        assert state(model) != before
        raise RuntimeError("inside")
    assert state(model) == before


def test_an_exception_in_a_block_leaves_the_model_as_it_was(model):
    space = DepthSpace(model, 2)
    fitness = KLFitness(space, ids(4))
    before = state(model)
    kept = model.model.layers[3].mlp.down_proj
    handle = kept.register_forward_hook(lambda *_: (_ for _ in ()).throw(MemoryError("block 3")))
    with pytest.raises(MemoryError):
        fitness([(0, 1, 1, 1, 1, 0)], (0,))
    handle.remove()
    assert state(model) == before


def test_one_profile_at_a_time(model):
    space = DepthSpace(model, 2)
    with space.apply((0, 0, 1, 1, 1, 1)):
        with pytest.raises(ValueError, match="one profile at a time"), space.apply((1, 1, 1, 1, 0, 0)):
            pass
        assert [n for n in state(model)[1] if ".0." in n or ".1." in n] == state(model)[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stride": 17}, "stride"),
        ({"stride": 0}, "stride"),
        ({"top_k": 129}, "top_k"),
        ({"calibration": ids()[0]}, "calibration"),
    ],
)
def test_text_and_settings_that_do_not_fit_are_refused(model, change, said):
    with pytest.raises(ValueError, match=said):
        KLFitness(**{"space": DepthSpace(model, 2), "calibration": ids()} | change)


def test_batches_are_drawn_whole_and_without_repetition(model):
    fitness = KLFitness(DepthSpace(model, 2), ids(5))
    assert sorted(fitness.draw(random.Random(0), 80)) == [0, 1, 2, 3, 4]
    for tokens in (0, 15, 96):
        with pytest.raises(ValueError, match="cannot be drawn"):
            fitness.draw(random.Random(0), tokens)


# Export -----------------------------------------------------------------------------


def same_generation(space, profile, smaller):
    text = ids(1)
    more = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    cached = smaller.generate(text, **more)
    with space.apply(profile):
        masked = space.model.generate(text, use_cache=False, **more)
        with_cache = space.model.generate(text, **more)
    assert cached.shape[1] == text.shape[1] + 20
    return torch.equal(cached, masked) and torch.equal(with_cache, masked)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_loads_again_and_generates_what_the_masked_one_does(made, kind, tmp_path):
    """With its cache: layers that go without renumbering would read and write each other's keys."""
    from transformers import AutoModelForCausalLM

    space = made[kind]
    profile = space.random_feasible(random.Random(5))
    if kind == "blocks":
        profile = (0, 1, 0, 1, 1, 1)  # the first too, of which the cache's length is asked
    before = state(space.model)
    folder = save(space, profile, tmp_path / "smaller")
    assert list(folder.glob("*.safetensors")) and (folder / "evopress.json").is_file()
    loaded = AutoModelForCausalLM.from_pretrained(folder).eval()
    if kind == "blocks":
        assert loaded.config.num_hidden_layers == len(loaded.model.layers) == 4
        block = sum(p.numel() for p in space.model.model.layers[0].parameters())
        assert sum(p.numel() for p in loaded.parameters()) == (
            sum(p.numel() for p in space.model.parameters()) - 2 * block
        )
    with space.apply(profile):
        want = space.model(ids()).logits
    torch.testing.assert_close(loaded(ids()).logits, want)
    assert same_generation(space, profile, loaded)
    assert state(space.model) == before
    with pytest.raises(FileExistsError):
        save(space, profile, folder)


def test_a_half_block_keeps_its_other_half(model):
    space = DepthSpace(model, 0.5, granularity="subblock")
    profile = tuple([0, 1] * 3 + [1, 0] * 3)
    smaller = prune_model(space, profile)
    assert len(smaller.model.layers) == 6  # no block lost both
    assert not smaller.model.layers[0].self_attn.o_proj.weight.any()
    assert smaller.model.layers[0].mlp.down_proj.weight.any()
    assert same_generation(space, profile, smaller)


# Levels -----------------------------------------------------------------------------


def test_bits_are_that_many_values_a_group_and_more_bits_are_nearer():
    weight = torch.randn(4, 128, generator=torch.Generator().manual_seed(0))
    errors = []
    for bits in (2, 3, 4, 6, 8):
        rounded = round_to_nearest(weight, bits, group=64)
        assert all(len(row.unique()) <= 2**bits for row in rounded.view(8, 64))
        span = weight.view(8, 64).amax(1) - weight.view(8, 64).amin(1)
        off = (rounded - weight).view(8, 64).abs().amax(1)
        assert (off <= span / (2**bits - 1) / 2 * 1.001).all()
        errors.append((rounded - weight).norm().item())
    assert errors == sorted(errors, reverse=True)


def test_wanda_weighs_a_weight_by_its_input():
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert sparsify(weight, 0.5).tolist() == [[0, 0, 3, 4]]
    assert sparsify(weight, 0.5, torch.tensor([10.0, 1.0, 1.0, 1.0])).tolist() == [[1, 0, 0, 4]]


def test_levels_that_are_none_are_refused(model):
    for keep in ((0.5, 1.5), (-0.5, 0.5), ()):
        with pytest.raises(ValueError, match="keep must be"):
            sparsity_database(model, keep)
    with pytest.raises(ValueError, match="equal steps"):
        bit_database(model, (2, 3, 6), group=32)
    with pytest.raises(ValueError, match="multiple of a group"):
        bit_database(model, group=48)


@pytest.mark.parametrize("kind", ["bits", "sparsity"])
def test_every_profile_has_the_average_asked_for(made, kind):
    space, rng = made[kind], random.Random(0)
    for _ in range(50):
        assert average_level(space, space.random_feasible(rng)) == pytest.approx(space.average)
    assert space.is_feasible(space.uniform())


def test_an_average_between_levels_is_met_from_below(model, made):
    space = LevelSpace(model, made["bits"].database, 2.7)
    profile = space.random_feasible(random.Random(0))
    assert 2.6 < average_level(space, profile) <= 2.7
    with pytest.raises(ValueError, match="no uniform profile"):
        space.uniform()
    for average in (2, 6.5):
        with pytest.raises(ValueError, match="infeasible budget"):
            LevelSpace(model, made["bits"].database, average)


def test_a_database_of_another_model_is_refused(made):
    with pytest.raises(ValueError, match="another model"):
        LevelSpace(tiny_llama(layers=2), made["bits"].database, 3.0)


# Scores -----------------------------------------------------------------------------


def test_dynamic_programming_is_the_best_of_all_sums():
    rng = random.Random(0)
    for _ in range(20):
        errors = [[rng.random() for _ in range(3)] for _ in range(6)]
        cost = [[6, 9, 15] if i % 2 else [3, 12, 18] for i in range(6)]
        budget = rng.randint(27, 80)
        fits = [
            p
            for p in itertools.product(range(3), repeat=6)
            if sum(cost[i][level] for i, level in enumerate(p)) <= budget
        ]
        total = lambda p, errors=errors: sum(errors[i][level] for i, level in enumerate(p))  # noqa: E731
        found = dynamic_programming(errors, cost, budget)
        assert found in fits
        assert total(found) == pytest.approx(min(map(total, fits)))
    with pytest.raises(ValueError, match="infeasible budget"):
        dynamic_programming(errors, cost, 26)


def test_allocation_spends_the_budget_where_errors_are(model, made):
    space = made["bits"]
    errors = layer_errors(model, space.database, ids())
    assert all(row == sorted(row, reverse=True) for row in errors)
    profile = allocate(space, errors)
    assert space.is_feasible(profile)
    total = lambda p: sum(errors[i][level] for i, level in enumerate(p))  # noqa: E731
    rng = random.Random(0)
    assert total(profile) <= min(total(space.random_feasible(rng)) for _ in range(200))
    assert total(profile) <= total(space.uniform())


def test_a_layer_error_is_that_of_its_output(model, made):
    database, seen = made["bits"].database, []
    linear = model.model.layers[2].mlp.up_proj
    handle = linear.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(0, 1)))
    rows = dict(zip(database.weights, layer_errors(model, database, ids()), strict=True))
    handle.remove()
    x, w, v = seen[0], linear.weight, database.weights["2.mlp.up_proj"][1]
    want = (x @ (w - v).T).norm() ** 2 / (x @ w.T).norm() ** 2
    assert rows["2.mlp.up_proj"][1] == pytest.approx(want.item(), rel=1e-3)


def quiet_block(model, block):
    """A block that adds nothing."""
    for name in ("self_attn.o_proj", "mlp.down_proj"):
        model.model.layers[block].get_submodule(name).weight.data.zero_()
    return model


def test_every_score_drops_the_block_that_does_nothing():
    model = quiet_block(tiny_llama(layers=6), 2)
    space, text = DepthSpace(model, 1), ids()
    fitness = KLFitness(space, text)
    want = (1, 1, 0, 1, 1, 1)
    assert cosine_scores(space, text)[2] == pytest.approx(0, abs=1e-6)
    assert drop_least(space, cosine_scores(space, text)) == want
    assert window_cosine(space, text) == want
    assert drop_least(space, removals(space, fitness, (0, 1))) == want
    assert greedy(space, fitness, max_tokens=200, tokens=16).best == want
    halves = DepthSpace(model, 1, granularity="subblock")
    assert drop_least(halves, cosine_scores(halves, text)) == tuple(int(i not in (4, 5)) for i in range(12))


def test_window_cosine_drops_a_run():
    model = quiet_block(quiet_block(tiny_llama(layers=6), 3), 4)
    assert window_cosine(DepthSpace(model, 2), ids()) == (1, 1, 1, 0, 0, 1)


def test_greedy_keeps_within_its_tokens_and_says_when_they_are_too_few(model):
    space = DepthSpace(model, 2)
    found = greedy(space, KLFitness(space, ids()), max_tokens=11 * 40, tokens=16)
    assert (found.evaluations, found.tokens) == (11, 11 * 32)
    with pytest.raises(ValueError, match="need at least 16"):
        greedy(space, KLFitness(space, ids()), max_tokens=160, tokens=16)


# What is refused --------------------------------------------------------------------


def sliding(model):
    model.config.layer_types = ["sliding_attention", "full_attention"]


def tie(model):
    model.model.layers[1].mlp.up_proj.weight = model.model.layers[0].mlp.up_proj.weight


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.train(), "training mode"),
        (sliding, "sliding-window"),
        (lambda m: setattr(m.config, "model_type", "gemma2"), "gemma2"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_by_name(change, said):
    model = tiny_llama()
    change(model)
    with pytest.raises(ValueError, match=said) as error:
        DepthSpace(model, 1)
    assert "LlamaForCausalLM" in str(error.value)


def test_layers_that_share_a_weight_are_refused():
    model = tiny_llama()
    tie(model)
    with pytest.raises(ValueError, match="share one weight"):
        bit_database(model, group=32)


def test_what_is_no_language_model_is_refused():
    with pytest.raises(TypeError, match="Linear"):
        DepthSpace(torch.nn.Linear(2, 2), 1)
    with pytest.raises(ValueError, match="predicts no tokens"):
        DepthSpace(tiny_llama().model, 1)


@pytest.mark.parametrize("drop", [0, 6, 0.1, 2.5, -1])
def test_a_number_of_blocks_that_cannot_go_is_refused(model, drop):
    with pytest.raises(ValueError, match="infeasible budget"):
        DepthSpace(model, drop)


@pytest.mark.parametrize("kind", ["mistral", "qwen2", "qwen3", "phi3"])
def test_the_other_models_score_and_export_alike(kind, tmp_path):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        kind, vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, sliding_window=None, initializer_range=0.2,
    )  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).eval()
    for space, profile in (
        (DepthSpace(model, 2), (0, 1, 0, 1)),
        (DepthSpace(model, 1, granularity="subblock"), (0, 1, 1, 0, 1, 1, 1, 1)),
    ):
        with torch.no_grad(), space.apply(profile):
            want = model(ids()).logits
        torch.testing.assert_close(KLFitness(space, ids()).logits(profile, (0, 1, 2, 3)), want)
        torch.testing.assert_close(prune_model(space, profile)(ids()).logits, want)


# Paper scale, and what users read -------------------------------------------------------


def test_at_the_papers_scale_the_space_and_the_export_have_the_sizes_they_should():
    """Llama-3-8B's shape on the meta device: nothing is computed."""
    from math import comb

    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32,
        num_attention_heads=32, num_key_value_heads=8,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(config).eval()
    halves = DepthSpace(model, 0.375, granularity="subblock")
    assert halves.size() == comb(32, 12) ** 2
    blocks = DepthSpace(model, 12)
    with torch.device("meta"):
        smaller = prune_model(blocks, tuple(int(i >= 12) for i in range(32)))
    block = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14_336 + 2 * 4096
    count = lambda m: sum(p.numel() for p in m.parameters())  # noqa: E731
    assert count(model) - count(smaller) == 12 * block
    assert [layer.self_attn.layer_idx for layer in smaller.model.layers] == list(range(20))


def test_the_experiments_texts_do_not_overlap():
    from presscheck.systems.evopress import experiment

    kept, held = (set(text.split("\n\n")) for text in experiment.halves())
    assert kept and held and not kept & held
    size = experiment.SIZES["full"]
    assert size.pool * size.sequence * 4 < 3 * sum(map(len, kept)) / 4  # there is enough to draw from


def test_the_readmes_example_runs_on_a_users_model(tmp_path, monkeypatch):
    """The first block of code of the README, on a model and text made here."""
    from transformers import AutoModelForCausalLM

    monkeypatch.chdir(tmp_path)
    readme = (files("presscheck.systems.evopress") / "README.md").read_text("utf-8")
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL).group(1)
    exec(block, {"model": tiny_llama(layers=6), "ids": ids(32)})
    assert AutoModelForCausalLM.from_pretrained("smaller-model").config.num_hidden_layers == 4
