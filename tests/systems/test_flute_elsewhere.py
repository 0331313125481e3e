"""Without a compiler, and through Triton's interpreter."""

import importlib.util
import os
import subprocess
import sys

import pytest

from presscheck.systems.flute.kernel import CannotCompile, compiled


def run(code, **env):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


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


def test_without_a_compiler_one_warning_and_the_definition(tmp_path):
    """In a process of its own, with nothing on its path and an empty cache."""
    code = (
        "import torch, warnings; from presscheck.systems.flute import LUTTensor, lut_linear, nf, which_path\n"
        "w, x = LUTTensor.quantize(torch.randn(8, 64), nf(4), 64), torch.randn(2, 64)\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        "    found = lut_linear(x, w); lut_linear(x, w)\n"
        "print(len(seen), seen[0].message); print(which_path())\n"
        "print((found - x @ w.dequantize().T).abs().max() < 1e-5)\n"
        "try: lut_linear(x, w, backend='kernel')\n"
        "except ValueError as error: print('refused', error)\n"
    )
    warning, path, same, refused = run(code, PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), CXX="")
    assert warning.startswith("1 no C++ compiler found") and "apt install g++" in warning
    assert path.startswith("reference") and same == "tensor(True)" and refused.startswith("refused")


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_triton_computes_the_definition_in_its_interpreter():
    """All widths, odd sizes, whole blocks with what is left behind them; unsorted tables."""
    code = (
        "import torch; from presscheck.systems.flute import LUTTensor, lut_linear\n"
        "torch.manual_seed(0)\n"
        "for bits in (2, 3, 4):\n"
        "    for M, N, K, group in ((3, 5, 96, 32), (17, 33, 576, 64)):\n"
        "        w = LUTTensor.from_codes(torch.randint(0, 1 << bits, (N, K)), torch.randn(1 << bits),\n"
        "                                 torch.randn(N, K // group))\n"
        "        for dtype in (torch.float32, torch.bfloat16):\n"
        "            x = torch.randn(M, K).to(dtype)\n"
        "            a, b = (lut_linear(x, w, backend=name).float() for name in ('triton', 'reference'))\n"
        "            bound = 1e-5 if dtype == torch.float32 else 5e-3\n"
        "            print(bits, K, float((a - b).norm() / b.norm()) < bound)\n"
    )
    lines = run(code, TRITON_INTERPRET="1")
    assert len(lines) == 12 and all(line.endswith("True") for line in lines), lines
