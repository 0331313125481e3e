"""The compiled kernel against the torch code that defines it, and what happens without a compiler."""

import math
import os
import subprocess
import sys
import warnings

import pytest
import torch

from presscheck.systems.lmul import kernel as native
from presscheck.systems.lmul import lmatmul, lmul
from presscheck.systems.lmul.kernel import ISA, CannotCompile, compiled
from presscheck.systems.lmul.lmul import lmul_patterns

KERNEL = native.kernel()
needs_kernel = pytest.mark.skipif(KERNEL is None, reason="no C++ compiler here")


def wild(*shape, seed=0):
    """Any pattern at all: NaN, infinities, subnormal numbers and every exponent."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(-(2**31), 2**31, shape, generator=draw).int().view(torch.float32)


def tame(*shape, seed=0):
    """Magnitudes below 2^63, with zeros and products that are too small."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=draw) * 10.0 ** torch.randint(-25, 18, shape, generator=draw)
    return x * (torch.rand(*shape, generator=draw) > 0.1)


@needs_kernel
@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize("constant", [0, 1 << 19, 1 << 22])
def test_any_two_patterns_give_the_same_bits(carry, constant):
    x, y = wild(300_000), wild(300_000, seed=1)
    found = KERNEL.elementwise(x, y, constant, carry)
    assert torch.equal(found.view(torch.int32), lmul_patterns(x, y, constant, carry).view(torch.int32))


@needs_kernel
@pytest.mark.parametrize("isa", ISA)
@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize("l", [None, 1, math.inf])
def test_matrix_products_give_the_same_bits_with_every_instruction_set(isa, carry, l):  # noqa: E741
    """Shapes that fill no tile, strides of every kind, zeros, and products below the normal numbers."""
    if isa > KERNEL.best_isa:
        pytest.skip(f"this machine has no {ISA[isa]}")
    a, b = tame(3, 13, 29), tame(3, 35, 29, seed=1).mT
    constant = 0 if l == math.inf else 1 << (23 - (l or 4))
    found = KERNEL.matmul(a, b, constant, carry, isa)
    assert torch.equal(found, lmatmul(a, b, l=l, carry=carry, backend="reference"))


@needs_kernel
@pytest.mark.parametrize("carry", [True, False])
def test_matrices_with_infinities_and_huge_numbers_give_the_same_bits(carry):
    a, b = tame(2, 5, 11), tame(2, 11, 7, seed=1)
    a[0, 0, 0], a[1, 2, 3], b[0, 4, 4], b[1, 1, 1] = math.inf, 1e30, math.nan, -2e38
    found, expected = (lmatmul(a, b, carry=carry, backend=name) for name in ("kernel", "reference"))
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    assert found.isnan().any() and found.isinf().any()


@needs_kernel
@pytest.mark.parametrize("edge", [2.0**63, math.nextafter(2.0**63, 0), 2.0**-126, 2.0**-127])
def test_the_edges_of_the_fast_path(edge):
    values = torch.tensor([edge, -edge, 0.0, 1.0, 2.0**62, 2.0**-125, 1.9999999])
    a, b = values[:, None], values[None, :]
    for carry in (True, False):
        found = lmatmul(a, b, l=1, carry=carry, backend="kernel")
        assert torch.equal(found, lmul(a, b, l=1, carry=carry, backend="reference"))


@needs_kernel
def test_threads_do_not_change_a_bit():
    a, b = tame(2, 70, 65), tame(2, 65, 90, seed=1)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(lmatmul(a, b, 4, backend="kernel"))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*results)


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_a_matrix_product_is_the_sum_of_its_scalar_products(backend):
    a, b = torch.randn(4, 6), torch.randn(6, 5)
    products = lmul(a[:, :, None], b[None], 4)
    torch.testing.assert_close(lmatmul(a, b, 4, backend=backend), products.sum(1))
    assert not torch.allclose(a @ b, products.sum(1), rtol=1e-3)


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_batches_broadcast_and_empty_sums_are_zero(backend):
    a, b = torch.randn(2, 1, 3, 4), torch.randn(5, 4, 2)
    found = lmatmul(a, b, backend=backend)
    assert found.shape == (2, 5, 3, 2)
    assert torch.equal(found[1, 3], lmatmul(a[1, 0], b[3], backend=backend))
    assert lmatmul(torch.ones(2, 0), torch.ones(0, 3), backend=backend).tolist() == [[0.0] * 3] * 2
    assert lmatmul(torch.ones(0, 4), torch.ones(4, 3), backend=backend).shape == (0, 3)


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_sums_are_float32_whatever_the_operands(backend):
    """In bfloat16 a sum of ones stops at 256."""
    ones = torch.ones(1, 1000, dtype=torch.bfloat16)
    found = lmatmul(ones, ones.T, l=math.inf, backend=backend)
    assert found.dtype == torch.bfloat16 and found.item() == 1000
    eight = ones.to(torch.float8_e4m3fn)
    assert lmatmul(eight, eight.T, l=math.inf, backend=backend).dtype == torch.float32


def test_gradients_are_those_of_the_true_matrix_product():
    a, b = torch.randn(2, 3, 4, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    upstream = torch.randn(2, 3, 5)
    found = torch.autograd.grad((lmatmul(a, b, 3) * upstream).sum(), (a, b))
    expected = torch.autograd.grad(((a @ b) * upstream).sum(), (a, b))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("a", "b", "says"),
    [((2, 3), (4, 2), "do not fit"), ((3,), (3, 2), "do not fit"), ((2, 2, 3), (5, 3, 2), "batches")],
)
def test_shapes_that_do_not_fit_are_named(a, b, says):
    with pytest.raises(ValueError, match=says):
        lmatmul(torch.ones(a), torch.ones(b))


@needs_kernel
def test_the_object_is_compiled_once_and_made_anew_when_cut_short(tmp_path):
    first = compiled(tmp_path)
    made = first.path.stat().st_mtime_ns
    assert compiled(tmp_path).path.stat().st_mtime_ns == made
    assert [p.name for p in tmp_path.iterdir()] == [first.path.name]  # nothing temporary is left
    other = tmp_path / "other"  # a process that has loaded a path is given it again, so elsewhere
    other.mkdir()
    (other / first.path.name).write_bytes(first.path.read_bytes()[:5000])
    assert compiled(other).best_isa == KERNEL.best_isa
    assert (other / first.path.name).stat().st_size == first.path.stat().st_size


def test_a_compiler_that_fails_is_quoted(tmp_path):
    bad = tmp_path / "cc"
    bad.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "kernel.cpp:1: no such thing" >&2; exit 1\n'
    )
    bad.chmod(0o755)
    with pytest.raises(CannotCompile, match="no such thing"):
        compiled(tmp_path / "cache", str(bad))
    with pytest.raises(CannotCompile, match="no C\\+\\+ compiler found"):
        compiled(tmp_path / "cache", "no-such-compiler")


def test_without_a_compiler_one_warning_and_the_same_bits(tmp_path):
    """In a process of its own, with nothing on its path and an empty cache."""
    code = (
        "import torch, warnings; from presscheck.systems.lmul.lmul import lmatmul, lmul\n"
        "torch.manual_seed(0); a, b = torch.randn(3, 4), torch.randn(4, 2)\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    found = lmatmul(a, b, 4); lmatmul(a, b); lmul(a, a)\n"
        "print(len(seen), seen[0].message); print(found.tolist())\n"
        "try: lmatmul(a, b, backend='kernel')\n"
        "except RuntimeError as error: print('refused', error)\n"
    )
    env = {
        **os.environ,
        "PATH": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
        "CXX": "",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    warning, numbers, refused = done.stdout.splitlines()
    assert warning.startswith("1 no C++ compiler found") and "apt install g++" in warning
    assert refused.startswith("refused no C++ compiler")
    torch.manual_seed(0)
    a, b = torch.randn(3, 4), torch.randn(4, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=DeprecationWarning)
        assert str(lmatmul(a, b, 4).tolist()) == numbers
