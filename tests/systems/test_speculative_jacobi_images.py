"""What the experiment of speculative Jacobi decoding stands on: codes, a model, quality, the arms."""

import contextlib
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from presscheck.systems.speculative_jacobi import SpeculativeJacobiSampler, from_causal_lm
from presscheck.systems.speculative_jacobi.codes import PatchVQ
from presscheck.systems.speculative_jacobi.law import Table, enumerate_law
from presscheck.systems.speculative_jacobi.lookup import prompt_lookup
from presscheck.systems.speculative_jacobi.pictures import crops, digits
from presscheck.systems.speculative_jacobi.quality import Judge, frechet, half_spread, ks_pvalue
from presscheck.systems.speculative_jacobi.tiny import context_free, train
from presscheck.testbeds.language import tiny_llama

pytestmark = pytest.mark.xdist_group("speculative_jacobi")
"""One process, so that what several tests look at is made once."""


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


# Codes --------------------------------------------------------------------------------


def test_an_image_of_few_patches_comes_back_exactly_and_in_place():
    """Four different patches in a known order: rows and columns must not be swapped anywhere."""
    patches = torch.rand(4, 2, 2, 3, generator=rng())
    order = torch.tensor([[0, 1, 2], [3, 0, 0]])
    image = torch.cat([torch.cat([patches[i] for i in row], dim=1) for row in order])[None]
    vq = PatchVQ(2, 4).fit(image.repeat(3, 1, 1, 1))
    codes = vq.encode(image)
    assert codes.shape == (1, 2, 3)
    assert [len({int(c) for c in codes[0][order == i]}) for i in range(4)] == [1, 1, 1, 1]
    torch.testing.assert_close(vq.decode(codes), image)


def test_more_codes_and_iterations_err_less():
    images = torch.rand(6, 16, 16, 1, generator=rng())

    def error(codes, iterations):
        vq = PatchVQ(4, codes).fit(images, iterations=iterations)
        return float((vq.decode(vq.encode(images)) - images).square().mean())

    assert error(8, 0) > error(8, 10) > error(32, 10) > 0


def test_what_does_not_split_into_patches_is_refused():
    with pytest.raises(ValueError, match="10 x 8 pixels do not split into patches of 4"):
        PatchVQ(4, 2).fit(torch.zeros(1, 10, 8, 1))
    with pytest.raises(ValueError, match="2 patches do not give 3 codes"):
        PatchVQ(4, 3).fit(torch.zeros(1, 8, 4, 1))
    with pytest.raises(ValueError, match="call fit first"):
        PatchVQ(4, 2).encode(torch.zeros(1, 8, 8, 1))


def test_held_out_crops_share_no_pixel_with_the_others():
    """Each pixel of a photograph is its column: learnt crops end where the held-out begin."""
    photo = torch.arange(300.0).expand(40, 300)[..., None].expand(-1, -1, 3)
    learnt, labels = crops([photo, photo], 60, 32, 0, held_out=False)
    rest, _ = crops([photo, photo], 60, 32, 0, held_out=True)
    assert learnt.max() < 200 <= rest.min()
    assert labels.tolist() == [0, 1] * 30
    with pytest.raises(ValueError, match="photograph 0 has 40 x 100 pixels there, need 64"):
        crops([photo], 1, 64, 0, held_out=True)


def test_photographs_are_read_where_they_were_installed():
    pytest.importorskip("skimage")
    from presscheck.systems.speculative_jacobi.pictures import PHOTOGRAPHS, photo_codes, photographs

    photos = photographs()
    assert len(photos) == len(PHOTOGRAPHS) and all(
        p.dim() == 3 and 0 <= p.min() < p.max() <= 1 for p in photos
    )
    coded = photo_codes(21, codes=16, side=32)
    assert coded.images.shape == (21, 8, 8) and coded.classes == 7


def test_digits_differ_by_seed_in_what_is_held_out():
    one, other = digits(0), digits(1)
    assert one.images.shape == (1500, 8, 8) and one.held_out.shape == (297, 8, 8)
    assert int(one.images.max()) == 16 and not torch.equal(one.held_out, other.held_out)


# The model ----------------------------------------------------------------------------


def test_context_free_guesses_are_the_entropies_of_frequencies():
    """Place 0 is always 1, place 1 even between 0 and 2: 0 and log 2 nats, up to the added counts."""
    images = torch.tensor([[1, 0], [1, 2]]).repeat(5000, 1)
    everywhere, by_place = context_free(images, images, 3)
    assert by_place == pytest.approx(np.log(2) / 2, abs=1e-3)
    assert everywhere == pytest.approx(1.5 * np.log(2), abs=1e-3)


@pytest.fixture(scope="module")
def stripes():
    """Images whose every row repeats the row above, the first row drawn; class 0 uses codes below 3."""
    labels = torch.arange(64) % 2
    first = torch.randint(3, (64, 1, 4), generator=rng()) + 3 * labels[:, None, None]
    images = first.expand(-1, 3, -1)
    return images, labels, train(
        images, labels, images, labels, codes=6, classes=2, width=32, layers=2, steps=120, lr=5e-3
    )  # fmt: skip


def test_a_trained_model_uses_its_class_and_its_context(stripes):
    """Eight of twelve tokens are copies: log 3 / 3 nats remain of over a nat without context."""
    images, labels, model = stripes
    assert model.nats < 0.55 < 1.7 < model.by_place
    assert float(model.nll(images, labels).mean()) == pytest.approx(model.nats, abs=1e-4)
    assert float(model.nll(images, 1 - labels).mean()) > 1
    sampler = SpeculativeJacobiSampler(from_causal_lm(model.model), high=6, generator=rng())
    drawn = torch.stack([sampler.generate(model.prompt(n % 2), 12, 4).tokens for n in range(10)])
    assert ((drawn >= 3) == (torch.arange(10) % 2 == 1)[:, None]).double().mean() > 0.9


def test_codes_that_do_not_fit_are_refused():
    images, labels = torch.zeros(2, 2, 2, dtype=torch.long), torch.tensor([0, 3])
    with pytest.raises(ValueError, match="labels to 3 do not fit 4 codes and 2 classes"):
        train(images, labels, images, labels, codes=4, classes=2)


def test_prompt_lookup_counts_its_passes_and_leaves_everything_as_it_was():
    """A model that repeats one token is looked up well; hooks and torch's generator are put back."""
    model, state = tiny_llama(), torch.get_rng_state()
    one = prompt_lookup(model, torch.tensor([5, 6, 7]), 20, seed=1)
    two = prompt_lookup(model, torch.tensor([5, 6, 7]), 20, seed=1)
    assert torch.equal(one.tokens, two.tokens) and len(one.tokens) == 20
    assert 1 <= one.n_forward <= 20
    assert torch.equal(torch.get_rng_state(), state) and not model._forward_pre_hooks
    kept = prompt_lookup(model, torch.tensor([5]), 30, keep=4)
    assert int(kept.tokens.max()) < 4


# Quality ------------------------------------------------------------------------------


def test_frechet_of_known_normals():
    """Means 3 apart in one of two dimensions, standard deviations 1 and 2: 9 + 1 + 1."""
    draw = np.random.default_rng(0)
    one, other = draw.normal(0, 1, (20_000, 2)), draw.normal(0, 2, (20_000, 2)) + [3, 0]
    assert frechet(one, other) == pytest.approx(11, rel=0.03)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="two images at least, got 1"):
        frechet(one[:1], other)


def test_the_spread_of_halves_is_that_of_their_means():
    """Standard deviation 1, halves of 50: their means differ by 0.2 and by 0.39 in one of twenty splits."""
    values = np.random.default_rng(0).normal(size=100)
    spread = half_spread(lambda half: values[half].mean(), 100, seed=0, splits=400)
    assert spread == pytest.approx(1.96 * 0.2 * values.std(), rel=0.2)


def test_a_judge_of_digits_knows_them_and_not_noise():
    data = digits(0)
    judge = Judge(data.images.flatten(1).numpy() / 16, data.labels.numpy())
    real = data.held_out.flatten(1).numpy() / 16
    assert judge.recognised(real, data.held_out_labels.numpy()).mean() > 0.93
    halves = judge.features(real[:148]), judge.features(real[148:])
    assert halves[0].shape == (148, 16)
    noise = judge.features(np.random.default_rng(0).random((148, 64)))
    assert frechet(halves[0], halves[1]) < 0.3 * frechet(noise, halves[1])


def test_equal_samples_pass_the_ks_test_and_moved_ones_do_not():
    draw = np.random.default_rng(0)
    one = draw.normal(size=200)
    assert ks_pvalue(one, draw.normal(size=200)) > 0.05 > ks_pvalue(one, one + 1)


# The law ------------------------------------------------------------------------------


def test_a_mistake_that_is_not_known_is_named():
    table = Table(2, 2)
    assert sum(table.law().values()) == pytest.approx(1)
    with pytest.raises(ValueError, match="mistake must be one of no residual, stale drafts"):
        enumerate_law(lambda: [0], "others")


def test_enumeration_puts_everything_back():
    from presscheck.systems.speculative_jacobi import criterion

    before = dict(vars(criterion))

    def fails():
        raise KeyboardInterrupt

    for mistake, run in itertools.product((None, "stale drafts", "no residual"), (lambda: [0], fails)):
        try:
            enumerate_law(run, mistake)
        except KeyboardInterrupt:
            assert run is fails
    assert vars(criterion) == before


# The system ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record():
    """One round of all arms at `smoke`, without those that cannot run here."""
    from presscheck.bench.run import Run, Unavailable
    from presscheck.claims import Measurement
    from presscheck.systems.speculative_jacobi.experiment import arms

    found = []
    for name, arm in arms(Run(size="smoke", seeds=(0,))).items():
        with contextlib.suppress(Unavailable):
            found += [
                Measurement(arm=name, metric=metric, value=value, unit=unit, seed=0, round=0)
                for metric, value, unit in arm(0)
            ]
    return SimpleNamespace(measurements=found)


def test_every_mode_is_measured(record):
    assert {"sjd", "gumbel", "jacobi", "prompt-lookup", "text-sjd", "law-sjd"} <= {
        row.arm for row in record.measurements
    }


def test_passes_of_token_by_token_are_as_many_as_tokens(record):
    found = [r.value for r in record.measurements if r.metric == "compression" and r.arm.endswith("ar")]
    assert found and set(found) == {1.0}


def test_coupled_noise_gives_the_images_of_token_by_token(record):
    found = {r.value for r in record.measurements if r.metric == "same_image_as_ar" and r.arm == "gumbel"}
    assert found == {1.0}


def test_pixels_of_the_figure_are_those_that_were_sampled(record):
    from presscheck.systems.speculative_jacobi.experiment import sheet
    from presscheck.systems.speculative_jacobi.figure import _sheet, draw

    images = torch.randint(17, (2, 8, 8), generator=rng())
    packed = {tuple(map(int, name.split("_")[1:])): int(value) for name, value, _ in sheet(images)}
    assert np.array_equal(_sheet(packed)[:, 9:17], images[1].numpy())
    axes = draw(record).axes
    assert len(axes) >= 3 and len(axes[0].lines) >= 3


def test_a_model_that_knows_too_little_is_not_reported():
    from presscheck.bench.run import Run, Unavailable
    from presscheck.systems.speculative_jacobi import experiment

    strict = experiment.Size(experiment.Training(1, 32, 1, 4, 1.45), 1, 4, 1, False, tiny=True)
    bench = experiment.Bench(Run(size="smoke", seeds=(0,)))
    bench.size = strict
    with pytest.raises(Unavailable, match="need 1.45: it knows too little beyond frequencies"):
        bench.of_round("digits", 0)
