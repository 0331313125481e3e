"""L-Mul on numbers: both readings of Eq. 1, special values, formats, and the paper's constants."""

import math

import pytest
import torch

from presscheck.systems.lmul import cut_mantissa, lmul, paper_l
from presscheck.systems.lmul.formats import FORMATS
from presscheck.systems.lmul.measures import drawn_pairs, relative_rms
from presscheck.systems.lmul.schemes import BEST_CONSTANT, SCHEMES

SMALL = [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]
BACKENDS = ["auto", "reference"]


@pytest.fixture(scope="module")
def uniform():
    x, y = drawn_pairs("uniform", 400_000, seed=0)
    return x, y, x.double() * y.double()


def test_the_offset_is_the_papers_in_float32():
    """The assembly of the appendix subtracts 0x3F780000 from the sum of the patterns."""
    x, y = torch.tensor([1.7, -2.3]), torch.tensor([3.1, 0.4])
    magnitude = (x.abs().view(torch.int32).long() + y.abs().view(torch.int32).long()) - 0x3F780000
    assert lmul(x, y).abs().view(torch.int32).tolist() == magnitude.tolist()
    assert (lmul(x, y).sign() == (x * y).sign()).all()


def test_l_follows_the_papers_three_cases():
    assert [paper_l(m) for m in (1, 2, 3, 4, 5, 7, 23)] == [1, 2, 3, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("bits", "carry", "rounding", "rms"),
    [
        (4, True, "trunc", 0.0358),
        (3, True, "trunc", 0.0595),
        (2, True, "trunc", 0.0846),
        (6, True, "trunc", 0.0314),
        (None, True, "trunc", 0.0309),
        (4, True, "nearest", 0.0612),
        (4, False, "trunc", 0.097),
        (4, False, "nearest", 0.085),
    ],
)
def test_errors_on_evenly_spread_mantissas(uniform, bits, carry, rounding, rms):
    """Eq. 1 taken for the adder, or rounding for truncation, gives another of these figures."""
    x, y, exact = uniform
    found = relative_rms(lmul(x, y, bits, carry=carry, rounding=rounding), exact)
    assert found == pytest.approx(rms, abs=6e-4)


@pytest.mark.parametrize(("name", "rms"), [("e4m3", 0.0361), ("e5m2", 0.0719), ("mitchell", 0.0484)])
def test_errors_of_what_it_is_compared_with(uniform, name, rms):
    x, y, exact = uniform
    scheme = SCHEMES[name]
    assert relative_rms(scheme.product(scheme.operand(x), scheme.operand(y)), exact) == pytest.approx(
        rms, abs=3e-4
    )


def test_rounding_operands_to_the_nearest_biases_results_upwards(uniform):
    """The constant makes up for truncation: without it results are 4.9 % too large."""
    x, y, exact = uniform
    assert (lmul(x, y, 4, rounding="nearest") / exact - 1).mean().item() == pytest.approx(0.049, abs=1e-3)
    assert abs((lmul(x, y, 4) / exact - 1).mean().item()) < 0.01


def test_no_constant_beats_the_best_constant(uniform):
    x, y, exact = uniform
    best = relative_rms(lmul(x, y, l=BEST_CONSTANT), exact)
    for l in (BEST_CONSTANT - 0.15, BEST_CONSTANT + 0.15, 4, math.inf):  # noqa: E741
        assert best < relative_rms(lmul(x, y, l=l), exact)


@pytest.mark.parametrize("bits", range(1, 8))
@pytest.mark.parametrize("carry", [True, False])
def test_every_pair_of_mantissas_gives_the_closed_form(bits, carry):
    """All mantissas of k bits: where the sum s passes 1 the adder has 2^n (1 + rest), Eq. 1 has 1 + s."""
    grid = torch.arange(2**bits, dtype=torch.float64) / 2**bits
    s = grid[:, None] + grid[None, :] + 2.0 ** -paper_l(bits)
    whole = s.floor()
    expected = 2**whole * (1 + s - whole) if carry else 1 + s
    found = lmul((1 + grid[:, None]).float(), (1 + grid[None, :]).float(), bits, carry=carry)
    assert torch.equal(found.double(), expected)


def test_a_sum_of_mantissas_may_carry_twice():
    """1.999 * 1.999 passes 2 with its constant; an exponent raised once at most would give 2.06."""
    x = torch.tensor([1.999])
    assert lmul(x, x).item() == pytest.approx(4 * (2 * 0.999 + 1 / 16 - 2 + 1), rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("carry", [True, False])
def test_special_values(backend, carry):
    inf, nan, tiny = math.inf, math.nan, 1e-40  # tiny is subnormal
    cases = [
        (1e30, 1e30, inf), (-1e30, 1e30, -inf), (1e-30, 1e-30, 0.0), (-1e-30, 1e-30, -0.0),
        (0.0, 5.0, 0.0), (-0.0, 5.0, -0.0), (-0.0, -5.0, 0.0), (0.0, 1e38, 0.0), (tiny, 1e38, 0.0),
        (inf, 2.0, inf), (inf, -2.0, -inf), (-inf, -inf, inf), (inf, 0.0, nan), (inf, tiny, nan),
        (nan, 1.0, nan), (0.0, nan, nan), (inf, nan, nan), (3.4e38, 3.4e38, inf), (1.2e-38, 0.5, 0.0),
    ]  # fmt: skip
    x, y, expected = (torch.tensor(column) for column in zip(*cases, strict=True))
    for left, right in ((x, y), (y, x)):
        found = lmul(left, right, carry=carry, backend=backend)
        torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
        real = ~expected.isnan()
        assert torch.equal(found.signbit()[real], expected.signbit()[real])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_nan_that_truncation_would_empty_stays_nan(backend):
    """Its one mantissa bit is the last: cutting it off would leave infinity."""
    nan = torch.tensor([0x7F800001], dtype=torch.int32).view(torch.float32)
    assert lmul(nan, torch.ones(1), 4, backend=backend).isnan().all()
    assert cut_mantissa(nan, 4, "nearest").isnan().all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_strides_do_not_matter(backend):
    x, y = torch.randn(6, 10), torch.randn(10, 6)
    expected = lmul(x.clone(), y.T.contiguous(), backend=backend)
    assert torch.equal(lmul(x, y.T, backend=backend), expected)
    wide = torch.randn(6, 20)
    assert torch.equal(lmul(wide[:, ::2], y.T, backend=backend), lmul(wide[:, ::2].contiguous(), y.T))


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("carry", [True, False])
def test_every_pair_of_small_floats_is_the_float32_result_in_range(dtype, carry):
    """Bit by bit: a format's own adder must agree with the wide one wherever no exponent leaves its range."""
    form = FORMATS[dtype]
    bits = form.exponent_bits + form.mantissa_bits + 1
    patterns = (
        torch.arange(2**bits)
        if bits == 8
        else torch.randint(2**bits, (1500,), generator=torch.Generator().manual_seed(0))
    )
    x = (patterns - 2 ** (bits - 1)).to(form.bits).view(dtype)
    magnitude = x.view(form.bits).long() & form.magnitude
    x = x[(magnitude >= form.normal) & (magnitude <= form.largest)]
    left, right = x[:, None], x[None, :]
    found = lmul(left, right, carry=carry).float()
    wide = lmul(left.float(), right.float(), form.mantissa_bits, carry=carry)
    largest = torch.tensor([form.largest]).to(form.bits).view(dtype).float()
    smallest = torch.tensor([form.normal]).to(form.bits).view(dtype).float()
    inside = (wide.abs() >= smallest) & (wide.abs() <= largest)
    # Eq. 1 loses its last bit in a format that has no room for it.
    expected = wide if carry else cut_mantissa(wide, form.mantissa_bits)
    inside &= expected.abs() >= smallest
    assert torch.equal(found[inside], expected[inside])
    assert (found[wide.abs() < smallest] == 0).all()
    over = found[wide.abs() > largest].abs()
    assert (over.isinf() if form.has_infinity else over == largest).all()


def test_e4m3_has_no_infinity_to_overflow_to():
    x = torch.tensor([448.0, -448.0, math.nan]).to(torch.float8_e4m3fn)
    assert lmul(x, x[:1]).float().tolist()[:2] == [448.0, -448.0]
    assert lmul(x, x[:1]).float().isnan().tolist() == [False, False, True]


def test_rounding_to_the_nearest_breaks_ties_to_even_and_may_raise_the_exponent():
    x = torch.tensor([1 + 1 / 32, 1 + 3 / 32, 1.99, -1.99])
    assert cut_mantissa(x, 4, "nearest").tolist() == [1.0, 1.125, 2.0, -2.0]
    assert cut_mantissa(x, 4).tolist() == [1.0, 1.0625, 1.9375, -1.9375]


def test_our_rounding_to_fp8_is_that_of_another_library():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    from presscheck.systems.lmul.casts import cast

    x = torch.cat([torch.randn(20_000), torch.randn(2_000) * 1e-3, torch.tensor([448.0, -0.0, 2.0**-9])])
    for name, other in (("e4m3", ml_dtypes.float8_e4m3fn), ("e5m2", ml_dtypes.float8_e5m2)):
        assert torch.equal(cast(x, name), torch.from_numpy(x.numpy().astype(other).astype("float32")))


def test_the_gradient_is_that_of_the_true_product():
    x, y = torch.randn(3, 1, requires_grad=True), torch.randn(4, requires_grad=True)
    lmul(x, y, 3).sum().backward()
    torch.testing.assert_close(x.grad, y.detach().sum().expand(3, 1))
    torch.testing.assert_close(y.grad, x.detach().sum().expand(4))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda x: lmul(x.int(), x.int()), TypeError, "got int32"),
        (lambda x: lmul(x.double(), x.double()), TypeError, "got float64"),
        (lambda x: lmul(x, x.half()), TypeError, "one type"),
        (lambda x: lmul(x, x, 24), ValueError, r"1\.\.23 for float32, got 24"),
        (lambda x: lmul(x, x, 0), ValueError, "got 0"),
        (lambda x: lmul(x.bfloat16(), x.bfloat16(), 8), ValueError, r"1\.\.7 for bfloat16"),
        (lambda x: lmul(x, x, True), TypeError, "integer"),
        (lambda x: lmul(x, x, l=0.5), ValueError, "at least 1"),
        (lambda x: lmul(x, x, l=math.nan), ValueError, "at least 1"),
        (lambda x: lmul(x.to(torch.float8_e5m2), x.to(torch.float8_e5m2), l=4), ValueError, "no bit"),
        (lambda x: lmul(x, x, rounding="up"), ValueError, "'trunc' or 'nearest'"),
        (lambda x: lmul(x, x, backend="gpu"), ValueError, "backend"),
        (lambda x: lmul(x, x[:2]), ValueError, "do not broadcast"),
    ],
)
def test_what_cannot_be_multiplied_says_why(call, error, says):
    with pytest.raises(error, match=says):
        call(torch.ones(3))
