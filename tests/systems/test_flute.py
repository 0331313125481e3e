"""Tables, packing, and the products of every instruction set against float64 sums of the same weights."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from presscheck.systems.flute import (
    LUTTensor,
    fp4,
    kmeans,
    lut_linear,
    nf,
    pack,
    packed_bytes,
    uniform,
    unpack,
    which_path,
)
from presscheck.systems.flute import kernel as native
from presscheck.systems.flute.kernel import ISA
from presscheck.systems.flute.tables import NF4, nf_by_formula

KERNEL = native.kernel()
needs_kernel = pytest.mark.skipif(KERNEL is None, reason="no C++ compiler here")
WIDTHS = (2, 3, 4)


@pytest.fixture(autouse=True)
def same_draws():
    """Whatever ran before: a bound that holds for these draws holds tomorrow."""
    torch.manual_seed(0)


def unsorted_table(bits, seed=0):
    """Neither symmetric nor rising, and exact in bfloat16: an index that is off by anything shows."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randperm(97, generator=draw)[: 1 << bits].float() - 40
    return values / 32


def random_weight(N, K, bits, group, seed=0):
    draw = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 1 << bits, (N, K), generator=draw)
    scales = torch.randn(N, K // group, generator=draw)
    return LUTTensor.from_codes(codes, unsorted_table(bits), scales), codes


# Tables


def test_nf4_is_the_published_constants_and_the_formula_gives_them():
    torch.testing.assert_close(nf_by_formula(4), torch.tensor(NF4), atol=2e-5, rtol=0)
    assert torch.equal(nf(4), torch.tensor(NF4))


@pytest.mark.parametrize("bits", WIDTHS)
def test_nf_rises_from_minus_one_to_one_with_an_exact_zero(bits):
    table = nf(bits)
    assert table[0] == -1 and table[-1] == 1 and (table == 0).sum() == 1 and (table.diff() > 0).all()
    assert (table < 0).sum() == 2 ** (bits - 1) - 1  # one more above zero than below


def test_kmeans_finds_the_values_that_weights_really_have():
    """Groups with one scale, and weights that take eight values: the error can be nought."""
    values = torch.tensor([-1.0, -0.8, -0.33, -0.1, 0.05, 0.21, 0.5, 1.0])
    weight = values[torch.randint(8, (16, 64), generator=torch.Generator().manual_seed(0))]
    weight[:, 0] = 1
    torch.testing.assert_close(kmeans(weight, 3, 64), values, atol=2e-4, rtol=0)


def test_kmeans_errs_less_on_the_weights_it_was_fitted_to_than_any_fixed_table():
    weight = torch.randn(64, 256, generator=torch.Generator().manual_seed(1)) ** 3
    errors = [(LUTTensor.quantize(weight, t, 64).dequantize() - weight).norm()
              for t in (kmeans(weight, 4, 64), nf(4), uniform(4), fp4())]  # fmt: skip
    assert errors[0] < 0.9 * min(errors[1:])


# Packing


@given(st.sampled_from(WIDTHS), st.integers(1, 5), st.integers(1, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_packing_keeps_every_code_in_exactly_its_bits(bits, N, chunks, seed):
    codes = torch.randint(0, 1 << bits, (N, 32 * chunks), generator=torch.Generator().manual_seed(seed))
    packed = pack(codes, bits)
    assert packed.shape == (N, 4 * bits * chunks)
    assert torch.equal(unpack(packed, bits).long(), codes)


@pytest.mark.parametrize("bits", WIDTHS)
def test_codes_out_of_range_are_refused(bits):
    for bad in (-1, 1 << bits):
        codes = torch.zeros(2, 32, dtype=torch.long)
        codes[1, 7] = bad
        with pytest.raises(ValueError, match=f"between 0 and {(1 << bits) - 1}"):
            pack(codes, bits)


def test_bytes_are_those_of_the_formula():
    weight = LUTTensor.quantize(torch.randn(8, 576), nf(3), 64)
    assert weight.nbytes - weight.table.nbytes == packed_bytes(8, 576, 3, 64) == 8 * 576 * (3 + 16 / 64) / 8


# Quantising


@pytest.mark.parametrize("table", [nf(2), nf(3), nf(4), fp4(), uniform(4), unsorted_table(3)])
def test_every_weight_takes_the_nearest_value_whatever_the_order_of_the_table(table):
    weight = torch.randn(6, 128, generator=torch.Generator().manual_seed(3))
    found = LUTTensor.quantize(weight, table, 32)
    scales = found.scales.float().repeat_interleave(32, 1)
    every = table[None, None] * scales[:, :, None]
    best = (every - weight[:, :, None]).abs().min(-1).values
    torch.testing.assert_close((found.dequantize() - weight).abs(), best, atol=1e-6, rtol=0)


def test_integers_reach_a_group_s_extreme_whatever_its_sign():
    """The largest magnitude is only at their lower end, so the scale takes its sign."""
    weight = torch.tensor([[0.1] * 31 + [1.0], [0.1] * 31 + [-1.0]])
    assert LUTTensor.quantize(weight, uniform(4), 32).dequantize()[:, -1].tolist() == [1.0, -1.0]


def test_groups_of_zeros_stay_zero():
    weight = torch.randn(2, 64)
    weight[0, :32] = 0
    assert not LUTTensor.quantize(weight, nf(3), 32).dequantize()[0, :32].any()


@pytest.mark.parametrize(
    ("weight", "table", "group", "says"),
    [
        (torch.zeros(4, 576), nf(4), 128, r"576 columns does not divide into groups of 128.*\[32, 64\]"),
        (torch.zeros(4, 64), torch.ones(5), 32, "4, 8 or 16 values"),
        (torch.zeros(4, 64), torch.zeros(8), 32, "not all zero"),
        (torch.full((4, 64), torch.nan), nf(4), 64, "256 of the 256 weights are not finite"),
        (torch.full((1, 64), torch.inf), nf(4), 64, "not finite"),
        (torch.zeros(4, 64), nf(4), 48, "group must be one of"),
        (torch.full((1, 32), 3.4e38), nf(4), 32, "does not fit into bfloat16"),
    ],
)
def test_what_cannot_be_quantised_is_named(weight, table, group, says):
    with pytest.raises(ValueError, match=says):
        LUTTensor.quantize(weight, table, group)


# Products

SHAPES = [  # N, K, bits groups: odd rows, one group, whole blocks of each width, what is left behind them
    (1, 32, 32), (7, 64, 64), (33, 576, 64), (17, 1024, 128), (5, 1536, 256), (19, 608, 32), (16, 512, 128),
]  # fmt: skip


@needs_kernel
@pytest.mark.parametrize("isa", ISA)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bits", WIDTHS)
def test_identity_activations_give_the_weight_bit_by_bit(isa, dtype, bits):
    """With a random unsorted table: no lane, shift, mask or scale can be another's."""
    if isa > KERNEL.best_isa:
        pytest.skip(f"this machine has no {ISA[isa]}")
    for N, K, group in SHAPES:
        weight, codes = random_weight(N, K, bits, group)
        wanted = weight.table[codes] * weight.scales.float().repeat_interleave(group, 1)
        for rows in (1, 2, 3, 6, 40) if isa > 2 else (5,):  # blocks of activations that differ in their code
            x = torch.eye(K, dtype=dtype)
            found = torch.cat([KERNEL.linear(part, weight, isa=isa) for part in x.split(rows)])
            assert torch.equal(found.T, wanted.to(dtype)), (N, K, group, rows)


@needs_kernel
@pytest.mark.parametrize("isa", ISA)
@pytest.mark.parametrize("bits", WIDTHS)
def test_expanding_gives_the_bits_of_the_definition(isa, bits):
    if isa > KERNEL.best_isa:
        pytest.skip(f"this machine has no {ISA[isa]}")
    for N, K, group in SHAPES:
        weight = LUTTensor.quantize(torch.randn(N, K), nf(bits), group)
        for dtype in (torch.float32, torch.bfloat16):
            assert torch.equal(KERNEL.expand(weight, dtype, isa), weight.dequantize(dtype)), (
                N,
                K,
                group,
                dtype,
            )


@needs_kernel
@pytest.mark.parametrize("isa", ISA)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_err_by_float32_rounding_alone(isa, dtype):
    """Against float64 sums of the same weights; scales rounded inside the product would cost 1e-3."""
    if isa > KERNEL.best_isa:
        pytest.skip(f"this machine has no {ISA[isa]}")
    for bits in WIDTHS:
        for N, K, group in ((65, 1536, 64), (40, 4096, 128)):
            weight = LUTTensor.quantize(torch.randn(N, K), nf(bits), group)
            for M in (1, 4, 21):
                x = torch.randn(M, K).to(dtype)
                table = weight.table.to(dtype).double()
                exact = x.double() @ (table[weight.codes().long()] *
                                      weight.scales.double().repeat_interleave(group, 1)).T  # fmt: skip
                found = KERNEL.linear(x.float() if dtype == torch.float32 else x, weight, isa=isa).double()
                if dtype == torch.bfloat16:  # the result itself is rounded
                    off = (found - exact).abs() - exact.abs() * 2**-8
                    assert (off < 2e-6 * exact.norm() / exact.numel() ** 0.5).all()
                else:
                    assert (found - exact).norm() / exact.norm() < 1e-6


@needs_kernel
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("M", [0, 1, 5, 200])
def test_kernel_and_definition_agree_with_bias_and_any_leading_shape(dtype, M):
    weight = LUTTensor.quantize(torch.randn(48, 192), nf(4), 64)
    x, bias = torch.randn(M, 1, 192).to(dtype), torch.randn(48).to(dtype)
    ours, theirs = (lut_linear(x, weight, bias, backend=name) for name in ("kernel", "reference"))
    assert ours.shape == (M, 1, 48) and ours.dtype == dtype
    # Results in half precision are rounded to it, and from 64 activations on the expanded weights are.
    bound = 1e-6 if dtype == torch.float32 else 2**-8
    assert (ours.double() - theirs.double()).norm() <= bound * theirs.double().norm()


@needs_kernel
def test_threads_do_not_change_a_bit():
    weight, x = LUTTensor.quantize(torch.randn(700, 1024), nf(3), 128), torch.randn(3, 1024)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append([lut_linear(x, weight), lut_linear(x.bfloat16().repeat(4, 1), weight)])
    finally:
        torch.set_num_threads(before)
    for one in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(one, results[0], strict=True))


@needs_kernel
def test_tiles_leave_torch_s_own_products_right():
    """Both set the shapes of the processor's tile registers."""
    weight, x = LUTTensor.quantize(torch.randn(64, 256), nf(4), 64), torch.randn(16, 256).bfloat16()
    a, b = torch.randn(96, 160).bfloat16(), torch.randn(160, 80).bfloat16()
    before, first = a @ b, lut_linear(x, weight)
    for _ in range(3):
        assert torch.equal(lut_linear(x, weight), first) and torch.equal(a @ b, before)


@needs_kernel
def test_an_instruction_set_that_the_machine_lacks_is_refused():
    weight = LUTTensor.quantize(torch.randn(4, 64), nf(4), 64)
    with pytest.raises(ValueError, match="this machine has no"):
        lut_linear(torch.ones(1, 64), weight, isa=9)


@pytest.mark.parametrize("level", ISA)
def test_which_path_tells_what_runs(monkeypatch, level):
    """With the better instruction sets masked off, both the words and the product follow."""
    if KERNEL is None or level > KERNEL.best_isa:
        pytest.skip(f"this machine has no {ISA[level]}")
    monkeypatch.setattr(KERNEL, "best_isa", level)
    assert which_path(dtype=torch.float32) == f"kernel: {ISA[min(level, 3)]}"
    assert which_path(rows=8) == f"kernel: {ISA[level]}"
    assert "multiplied by torch" in which_path(rows=512)
    weight, x = LUTTensor.quantize(torch.randn(40, 576), nf(3), 64), torch.randn(2, 576)
    # Sums of 576 products, some of them near zero: what they may differ by is told by their own size.
    found, wanted = lut_linear(x, weight), lut_linear(x, weight, backend="reference")
    assert (found - wanted).norm() < 2e-6 * wanted.norm()


def test_gradients_are_those_of_the_weight_it_stands_for():
    weight = LUTTensor.quantize(torch.randn(10, 64), nf(4), 64)
    x, bias = torch.randn(2, 3, 64, requires_grad=True), torch.randn(10, requires_grad=True)
    upstream = torch.randn(2, 3, 10)
    found = torch.autograd.grad((lut_linear(x, weight, bias) * upstream).sum(), (x, bias))
    dense = torch.nn.functional.linear(x, weight.dequantize(), bias)
    for one, other in zip(found, torch.autograd.grad((dense * upstream).sum(), (x, bias)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("x", "bias", "kind", "says"),
    [
        (torch.ones(2, 65), None, ValueError, "do not fit"),
        (torch.ones(2, 64), torch.ones(3), ValueError, "do not fit"),
        (torch.ones(2, 64, dtype=torch.float64), None, TypeError, "float64"),
        (torch.ones(2, 64, device="meta"), None, ValueError, "meta"),
    ],
)
def test_activations_that_do_not_fit_are_named(x, bias, kind, says):
    with pytest.raises(kind, match=says):
        lut_linear(x, LUTTensor.quantize(torch.randn(4, 64), nf(4), 64), bias)
