"""The method's traps: objective, rejection, slices, pool size, binning, persistence."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from presscheck.systems.nrgboost import NRGBoost, reference
from presscheck.systems.nrgboost.binning import Binner
from presscheck.systems.nrgboost.boosting import (
    Pool,
    boost_once,
    leaf_values,
    likelihood_gain,
    line_search,
    survivors,
)  # fmt: skip
from presscheck.systems.nrgboost.ensemble import Ensemble, log_normalise, start_marginals
from presscheck.systems.nrgboost.grow import best_split, grow_tree

SIZES = np.array([9, 5, 70, 3])
ORDERED = np.array([True, False, True, False])


def mixed_codes(n=400, seed=0):
    """Four dependent columns: ordered, unordered, ordered and wide, unordered."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return np.stack(
        [
            np.clip(np.rint(z * 2 + 4), 0, 8),
            np.where(z > 0, rng.integers(0, 2, n), rng.integers(2, 5, n)),
            np.clip(np.rint(z * 12 + 35 + rng.normal(size=n)), 0, 69),
            np.digitize(z, [-0.5, 0.5]),
        ],
        axis=1,
    ).astype(np.int16)


def boosted(rounds=8, max_leaves=90, data=None, pool_size=3000):
    """An ensemble with several words a tree, trained on a small pool."""
    data = mixed_codes(2000) if data is None else data
    rng = np.random.default_rng(1)
    model = Ensemble(start_marginals(data, SIZES, 0.1), ORDERED, max_leaves, capacity=2)
    pool, leaf = Pool(pool_size, 0.1, 4, 3), None
    for t in range(rounds):
        samples = pool.advance(model, data, leaf, rng) if t else None
        growth, _ = boost_once(model, data, pool=samples, shrinkage=0.3, max_leaves=max_leaves, max_ratio=4.0)
        leaf = growth.pool_leaf if t else None
    return model, data


def grid(*sizes):
    """Every cell of a small domain."""
    return np.indices(sizes).reshape(len(sizes), -1).T.astype(np.int16)


def small_table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": z * 10 + 100 + rng.normal(size=n),
            "count": np.clip(np.rint(z * 2 + 5), 0, None).astype(int),
            "kind": pd.Categorical(np.where(z > 0, "big", np.where(z > -1, "mid", "small"))),
        }
    )


SMALL = {
    "n_trees": 12,
    "max_leaves": 16,
    "n_model_samples": 800,
    "n_chains": 4,
    "burn_in": 5,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def fitted():
    table = small_table()
    return NRGBoost(**SMALL).fit(table, validation=small_table(100, seed=5), target="size"), table


def test_the_start_mixes_each_marginal_so_columns_stay_independent():
    """A joint uniform mixed in would make one column's conditional depend on the other."""
    data = np.array([[0, 0], [0, 0], [0, 1], [1, 0]], np.int16)
    marginals = start_marginals(data, np.array([2, 2]), 0.1)
    assert np.allclose(marginals[0], [0.9 * 0.75 + 0.05, 0.9 * 0.25 + 0.05])
    model = Ensemble(marginals, np.array([True, True]), 4)
    joint = np.exp(model.energies(grid(2, 2))).reshape(2, 2)
    assert joint.sum() == pytest.approx(1)
    assert np.allclose(joint[0] / joint[0].sum(), joint[1] / joint[1].sum())
    wrong = 0.9 * np.outer([0.75, 0.25], [0.75, 0.25]) + 0.1 / 4
    assert not np.allclose(wrong, joint, atol=1e-3)


def test_leaf_values_have_mean_zero_under_the_model():
    """log(P/Q), the density tree's value, has a negative mean."""
    data = mixed_codes()
    growth = grow_tree(data, np.array([0, 9, 14, 84, 87]), ORDERED,
                       marginal=np.concatenate(start_marginals(data, SIZES, 0.1)), max_leaves=20)  # fmt: skip
    P, Q = growth.data_mass, growth.model_mass
    assert len(P) > 5 and P.sum() == pytest.approx(1) and Q.sum() == pytest.approx(1)
    assert Q @ leaf_values(P, Q) == pytest.approx(0, abs=1e-12)
    assert (P <= 2.0 * Q * (1 + 1e-9)).all()


def test_exact_rounds_raise_the_likelihood_and_learn_a_full_histogram():
    """256 cells, Q exact: training likelihood never falls, and KL to the histogram goes below 0.02 nats."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 16, 4000)
    data = np.stack([x, np.clip(x + rng.integers(-3, 4, 4000), 0, 15)], 1).astype(np.int16)
    cells = grid(16, 16)
    histogram = np.bincount(data[:, 0] * 16 + data[:, 1], minlength=256) / 4000
    model = Ensemble(start_marginals(data, np.array([16, 16]), 0.1), np.array([True, True]), 64, capacity=60)
    kls = []
    for _ in range(60):
        logits = model.energies(cells)
        q = np.exp(log_normalise(logits[None])[0])
        seen = histogram > 0
        kls.append(float((histogram[seen] * np.log(histogram[seen] / q[seen])).sum()))
        boost_once(model, data, pool=cells, weights=q, shrinkage=0.3, max_leaves=64, max_ratio=2.0)
    assert (np.diff(kls) <= 1e-12).all()
    assert kls[0] > 0.5 and kls[-1] < 0.02


def test_the_line_search_maximises_the_exact_gain():
    P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.4])
    w = leaf_values(P, Q)
    step = line_search(P, Q, w)
    gain = [float(P @ (a * w) - np.log(Q @ np.exp(a * w))) for a in (step * 0.9, step, step * 1.1)]
    assert gain[1] == max(gain) and gain[1] > 0
    assert float(likelihood_gain(step, P, Q, w)) == pytest.approx(gain[1])


def test_survivors_of_exact_samples_follow_the_new_model():
    """Chi-square over 64 cells; unscaled leaf values or a wrong maximum would miss."""
    rng = np.random.default_rng(3)
    data = rng.integers(0, 8, (500, 2)).astype(np.int16)
    data[:, 1] = np.where(rng.random(500) < 0.6, data[:, 0], data[:, 1])
    cells = grid(8, 8)
    model = Ensemble(start_marginals(data, np.array([8, 8]), 0.1), np.array([True, False]), 16)
    old = np.exp(model.energies(cells))
    boost_once(model, data, pool=None, shrinkage=0.5, max_leaves=16, max_ratio=2.0)
    samples = model.sample_start(60_000, rng)
    growth, values = model.trees[0]
    leaf = np.array([reference.leaf_of(growth, x) for x in cells], np.int32)
    place = samples[:, 0] * 8 + samples[:, 1]
    keep = survivors(rng, values, leaf[place], p_refresh=0.1)
    new = np.exp(model.energies(cells))
    new /= new.sum()
    counts = np.bincount(place[keep], minlength=64)
    assert stats.chisquare(counts, new * counts.sum()).pvalue > 1e-3
    assert stats.chisquare(counts, old / old.sum() * counts.sum()).pvalue < 1e-9


def test_the_pool_has_exactly_its_size_each_round_and_the_second_is_exact():
    data = mixed_codes()
    rng = np.random.default_rng(0)
    model = Ensemble(start_marginals(data, SIZES, 0.1), ORDERED, 16)
    pool, leaf = Pool(337, 0.1, 5, 2), None
    for t in range(5):
        samples = pool.advance(model, data, leaf, rng) if t else None
        if samples is not None:
            assert samples.shape == (337, 4)
            assert (samples >= 0).all() and (samples < SIZES).all()
        growth, _ = boost_once(model, data, pool=samples, shrinkage=0.15, max_leaves=16, max_ratio=2.0)
        leaf = growth.pool_leaf if t else None
    assert 0 < pool.drawn < 3 * 337


def test_a_pool_smaller_than_its_chains_is_refused():
    with pytest.raises(ValueError, match="n_model_samples must be at least n_chains, got 8 and 16"):
        NRGBoost(n_model_samples=8).fit(small_table(20))


def test_kernels_agree_with_walking_the_trees():
    """Energies, slices of ordered and unordered columns, and chains, over trees of two words."""
    model, data = boosted()
    assert max(len(v) for _, v in model.trees) > 64
    rows = data[:12]
    assert np.allclose(model.tree_energies(rows), [reference.energy(model.trees, x) for x in rows])
    for d in range(4):
        plain = [reference.energy_slice(model.trees, x, d, SIZES[d]) for x in rows]
        assert np.allclose(model.tree_slices(rows, d), plain)
    uniforms = np.random.default_rng(7).random((3, 5, 4))
    chains = model.gibbs(rows[:3], 5, np.random.default_rng(7), keep=5)
    for c in range(3):
        assert np.array_equal(chains[c], reference.gibbs(model.trees, model.marginals, rows[c], uniforms[c]))


def test_chains_survive_energies_that_overflow_products():
    """Two columns tied by an energy of ±900: factors of exp(900) are infinite, the draw must not be."""
    data = np.repeat(grid(2, 2)[[0, 3]], [70, 30], axis=0)
    model = Ensemble(start_marginals(data, np.array([2, 2]), 0.1), np.array([True, True]), 4)
    growth = grow_tree(data, model.offset, model.ordered, marginal=model.base, max_leaves=4, max_ratio=5.0)
    assert len(growth.data_mass) == 4
    values = np.where(growth.data_mass > growth.model_mass, 900.0, -900.0)
    model.add(growth, values)
    states = model.gibbs(data[40:], 3, np.random.default_rng(0))[:, 0]
    assert (states[:, 0] == states[:, 1]).all()


def test_chains_do_not_depend_on_threads():
    model, data = boosted(rounds=3, max_leaves=16)
    one, two = (model.gibbs(data[:7], 4, np.random.default_rng(2), threads=k) for k in (1, 2))
    assert np.array_equal(one, two)


def test_long_chains_follow_the_exact_model():
    model, _ = boosted(rounds=4, max_leaves=8)
    data = mixed_codes()[:, [0, 3]]
    small = Ensemble(start_marginals(data, SIZES[[0, 3]], 0.1), ORDERED[[0, 3]], 8)
    cells = grid(9, 3)
    for _ in range(4):
        q = np.exp(log_normalise(small.energies(cells)[None])[0])
        boost_once(small, data, pool=cells, weights=q, shrinkage=0.5, max_leaves=8, max_ratio=2.0)
    q = np.exp(log_normalise(small.energies(cells)[None])[0])
    states = small.gibbs(small.sample_start(6000, np.random.default_rng(0)), 25, np.random.default_rng(1))[
        :, 0
    ]
    counts = np.bincount(states[:, 0] * 3 + states[:, 1], minlength=27)
    assert stats.chisquare(counts, q * 6000).pvalue > 1e-3
    assert len(model) == 4


@pytest.mark.parametrize("seed", range(4))
def test_split_search_finds_the_best_legal_split(seed):
    """Thresholds against all thresholds, subsets against all subsets (optimal by sorting on P/Q)."""
    rng = np.random.default_rng(seed)
    p, q = rng.integers(0, 9, 6).astype(float), rng.integers(1, 9, 6).astype(float)
    loose = 1e9
    for ratio in (loose, 1.6):
        left = np.zeros(6, np.uint8)
        gain, d, t = best_split(
            p, q, 1.0, 1.0, p.sum(), q.sum(), np.array([0, 6]), np.array([True]), 0, ratio, 0.0, left
        )  # noqa: E501
        expected, threshold = reference.best_ordered_split(p / p.sum(), q / q.sum(), ratio)
        assert (max(gain, 0) if d >= 0 else 0) == pytest.approx(expected, abs=1e-11)
        assert d < 0 or t == threshold
    gain, _, _ = best_split(
        p, q, 1.0, 1.0, p.sum(), q.sum(), np.array([0, 6]), np.array([False]), 0, loose, 0.0, left
    )  # noqa: E501
    assert gain == pytest.approx(reference.best_subset_split(p / p.sum(), q / q.sum(), loose))


def test_the_leaves_a_row_reaches_are_those_it_was_counted_in():
    model, data = boosted(rounds=2, max_leaves=70)
    growth, _ = model.trees[1]
    leaves = [reference.leaf_of(growth, x) for x in data]
    assert np.array_equal(leaves, growth.data_leaf)
    assert np.allclose(np.bincount(leaves, minlength=len(growth.data_mass)) / len(data), growth.data_mass)


def test_stage_zero_is_the_prior_and_the_last_stage_the_model(fitted):
    model, table = fitted
    stages = list(model.staged_predict_proba(table[:5], "kind"))
    assert len(stages) == model.n_trees_ + 1
    assert np.allclose(stages[0], model.model_.marginals[2])
    assert np.allclose(stages[-1], model.predict_proba(table[:5], "kind", n_rounds=model.n_trees_))
    assert np.allclose(stages[3], model.predict_proba(table[:5], "kind", n_rounds=3))


def test_early_stopping_keeps_the_best_round_not_the_next():
    noise = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (60, 2)), columns=["a", "b"]).astype(
        "category"
    )
    held_out = noise.iloc[::-1].reset_index(drop=True).assign(b=noise["b"])
    model = NRGBoost(**{**SMALL, "early_stopping_rounds": 3}).fit(noise, validation=held_out)
    assert model.best_iteration_ == int(np.argmin(model.validation_loss_))
    assert model.n_trees_ <= max(model.best_iteration_ + 3, 3)
    assert len(model.validation_loss_) == model.n_trees_ + 1


def test_gains_on_held_out_rows_are_smaller_than_those_that_chose_the_leaves(fitted):
    model, _ = fitted
    assert len(model.train_gain_) == len(model.validation_gain_) == model.n_trees_
    assert model.train_gain_.sum() > model.validation_gain_.sum() > 0


def test_numbers_outside_the_training_range_are_clipped():
    binner = Binner(8).fit(pd.DataFrame({"a": np.arange(100.0)}))
    codes = binner.encode(pd.DataFrame({"a": [-1e9, 0.0, 99.0, 1e9]}))[:, 0]
    assert codes[0] == codes[1] == 0 and codes[2] == codes[3] == binner.columns[0].size - 1


def test_bins_predict_the_mean_of_their_rows_not_their_midpoint():
    values = np.concatenate([np.arange(900.0), [1e6] * 3, [5e6]])
    column = Binner(10).fit(pd.DataFrame({"a": values})).columns[0]
    binner = Binner(10).fit(pd.DataFrame({"a": values}))
    codes = binner.encode(pd.DataFrame({"a": values}))[:, 0]
    assert column.mean[codes].mean() == pytest.approx(values.mean())
    assert ((column.low + column.high) / 2)[codes].mean() > 1.4 * values.mean()


def test_point_masses_and_few_values_survive_the_round_trip():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"a": np.where(rng.random(2000) < 0.4, 0.0, rng.gamma(2.0, size=2000)), "b": rng.integers(0, 7, 2000)}
    )  # noqa: E501
    binner = Binner(32).fit(table)
    back = binner.decode(binner.encode(table), rng)
    assert ((back["a"] == 0) == (table["a"] == 0)).all()
    assert (back["b"] == table["b"]).all() and back["b"].dtype == table["b"].dtype
    assert 20 <= binner.columns[0].size <= 34


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t: t.assign(kind="huge"), "'huge', a category not seen at fit"),
        (lambda t: t.assign(size=np.inf), "infinite values"),
        (lambda t: t.drop(columns="count"), "'count' of the fit is absent"),
        (lambda t: t.assign(more=1), "'more' was not there at fit"),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(fitted, change, said):
    model, table = fitted
    with pytest.raises(ValueError, match=said):
        model.score_samples(change(table[:3]))


def test_unknown_categories_are_marginalised_if_asked():
    table = small_table()
    model = NRGBoost(**SMALL, unknown="missing").fit(table)
    strange = table[:4].assign(kind="huge")
    empty = table[:4].assign(kind=None)
    assert np.allclose(model.predict(strange, "size"), model.predict(empty, "size"))


def test_missing_inputs_are_summed_out_exactly(fitted):
    """Against sums over every value of the missing cells."""
    model, table = fitted
    levels = table["kind"].cat.categories

    def scores(kind):
        return model.score_samples(table[:3].assign(kind=pd.Categorical([kind] * 3, categories=levels)))

    each = np.exp(np.stack([scores(level) for level in levels]))
    assert np.allclose(scores(None), np.log(each.sum(0)))
    assert np.allclose(model.predict_proba(table[:3], "kind").T, each / each.sum(0))
    sizes = [model.predict_proba(table[:3].assign(kind=level), "size").T for level in levels]
    free = model.score_samples(table[:3].assign(size=np.nan, kind=None))
    weights = [
        np.exp(model.score_samples(table[:3].assign(size=np.nan, kind=level)) - free) for level in levels
    ]
    mixed = sum(w * p for w, p in zip(weights, sizes, strict=True))
    assert np.allclose(model.predict_proba(table[:3].assign(kind=None), "size").T, mixed)


def test_missing_inputs_too_many_to_list_agree_with_the_exact_sum(fitted, monkeypatch):
    from presscheck.systems.nrgboost import missing

    model, table = fitted
    rows = table[:2].assign(count=np.nan)
    exact, exact_score = model.predict_proba(rows, "kind"), model.score_samples(rows.assign(kind=None))
    monkeypatch.setattr(missing, "EXACT_CELLS", 1)
    monkeypatch.setattr(missing, "SWEEPS", 1500)
    assert np.allclose(model.predict_proba(rows, "kind"), exact, atol=0.05)
    drawn = model.score_samples(rows.assign(kind=None), n_marginal_samples=20_000)
    assert np.allclose(drawn, exact_score, atol=0.05)


def test_training_rows_with_missing_cells_are_used():
    """Half of one column is hidden; what the rest says about it is still learnt."""
    table = small_table(600)
    holes = table.copy()
    holes.loc[np.random.default_rng(0).random(600) < 0.5, "count"] = np.nan
    model = NRGBoost(**{**SMALL, "n_trees": 40}).fit(holes)
    error = model.predict(table, "count") - table["count"]
    assert 1 - (error**2).mean() / table["count"].var() > 0.6


def test_quantiles_are_those_of_the_conditional(fitted):
    model, table = fitted
    q = model.predict_quantile(table[:40], "size", [0.1, 0.5, 0.9])
    assert (np.diff(q, axis=1) >= 0).all()
    assert np.array_equal(model.predict_quantile(table[:40], "size", 0.5), q[:, 1])
    inside = (table["size"] >= model.predict_quantile(table, "size", 0.1)) & (
        table["size"] <= model.predict_quantile(table, "size", 0.9)
    )
    assert 0.7 < inside.mean() <= 1.0


def test_samples_keep_conditions_and_follow_them(fitted):
    model, table = fitted
    rows = model.sample(200, {"kind": "small"}, n_steps=8, random_state=1)
    assert (rows["kind"] == "small").all()
    assert list(rows.columns) == list(table.columns) and (rows.dtypes == table.dtypes).all()
    assert abs(rows["size"].mean() - table.loc[table["kind"] == "small", "size"].mean()) < 4
    assert rows["size"].mean() < table["size"].mean() - 5
    assert (model.sample(5, {"count": 3}, n_steps=2)["count"] == 3).all()


def test_saved_models_answer_the_same_and_hold_no_pickle(fitted, tmp_path):
    model, table = fitted
    model.save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
    again = NRGBoost.load(tmp_path / "model.npz")
    assert np.array_equal(again.score_samples(table), model.score_samples(table))
    assert np.array_equal(again.predict(table[:9], "kind"), model.predict(table[:9], "kind"))
    assert again.sample(5, random_state=0).equals(model.sample(5, random_state=0))
    assert again.get_params() == model.get_params()


def test_a_damaged_model_file_is_refused(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model.npz")
    whole = (tmp_path / "model.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with np.load(tmp_path / "model.npz") as file:
        parts = dict(file)
    head = json.loads(parts["head"].tobytes()) | {"format": "other"}
    parts["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(tmp_path / "other.npz", **parts)
    for name in ("cut.npz", "other.npz"):
        with pytest.raises(ValueError, match="is no saved NRGBoost model, or is damaged"):
            NRGBoost.load(tmp_path / name)


def test_fitting_leaves_parameters_and_the_callers_table_alone():
    table = small_table(60)
    before = table.copy()
    model = NRGBoost(**SMALL)
    params = model.get_params()
    model.fit(table)
    assert model.get_params() == params and table.equals(before)


def test_a_constant_column_and_few_rows_are_no_error():
    table = small_table(12).assign(same=1.0)
    model = NRGBoost(**SMALL).fit(table)
    assert model.predict(table, "same").tolist() == [1.0] * 12
    assert np.isfinite(model.score_samples(table)).all()


def test_the_energy_is_higher_for_rows_that_do_not_fit_together(fitted):
    model, table = fitted
    odd = table.assign(size=table["size"].to_numpy()[::-1])
    assert model.energy(odd).mean() > model.energy(table).mean() + 1
