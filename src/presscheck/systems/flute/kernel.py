"""Compiles ``native/kernel.cpp`` on first use and calls it.

The object lies in the user's cache folder under a hash of the sources, the compiler's version, the
flags and the processor's features. It is moved there whole, so two processes may compile at once.
Where there is no compiler, or it fails, one warning says so and torch computes the products.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path

import platformdirs
import torch
from torch import Tensor

from .tensor import LUTTensor

SOURCES = Path(__file__).with_name("native")
SOURCE = SOURCES / "kernel.cpp"
FLAGS = ("-O2", "-std=c++17", "-shared", "-fPIC", "-pthread")
VERSION = 1  # of the functions that kernel.cpp exports
ISA = {1: "portable C++", 2: "AVX2", 3: "AVX-512", 4: "AVX-512 and AMX tiles"}
TILES_FROM = 3  # activations, as in kernel.cpp


class CannotCompile(RuntimeError):
    """There is no kernel on this machine; the message says why and what helps."""


class Kernel:
    """The compiled functions. Tensors are on the CPU."""

    def __init__(self, path: Path) -> None:
        """Load the object.

        Raises:
            OSError: if it is no object of this machine.
            AttributeError: if it is another version's.
        """
        self.path = path
        self._library = ctypes.CDLL(str(path))
        if self._library.flute_version() != VERSION:
            raise AttributeError(f"{path} is of another version")
        number, pointer, small = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
        self._linear = self._library.flute_linear
        self._linear.argtypes = [pointer] * 6 + [number] * 3 + [small, number] + [small] * 3
        self._expand = self._library.flute_expand
        self._expand.argtypes = [pointer] * 4 + [number] * 2 + [small, number] + [small] * 3
        self._library.flute_read.argtypes = [pointer, number, small, small]
        self._library.flute_read.restype = ctypes.c_uint64
        self._library.flute_threads_of.argtypes = [pointer]
        self._library.flute_threads_of.restype = None
        self._library.flute_threads_of(_gomp_parallel())
        self.best_isa: int = self._library.flute_isa()

    @property
    def instructions(self) -> str:
        """The instruction set that this machine runs."""
        return ISA[self.best_isa]

    def linear(
        self, x: Tensor, weight: LUTTensor, bias: Tensor | None = None, isa: int | None = None
    ) -> Tensor:
        """X times the weight, transposed, plus the bias; sums in float32.

        Args:
            x: (M, K) float32 or bfloat16.
            weight: (N, K) on the CPU.
            bias: (N,) float32.
            isa: A place in ``ISA``; None for the best.

        Returns:
            (M, N) of the dtype of `x`.

        Raises:
            MemoryError: if the arranged activations have no room.
            ValueError: if the machine lacks the instruction set asked for.
        """
        x = x.contiguous()
        N, K = weight.shape
        out = x.new_empty(x.shape[0], N)
        answer = self._linear(
            weight.packed.data_ptr(), weight.table.data_ptr(), weight.scales.data_ptr(), x.data_ptr(),
            0 if bias is None else bias.data_ptr(), out.data_ptr(), x.shape[0], N, K, weight.bits,
            weight.group, x.dtype == torch.bfloat16, self.best_isa if isa is None else isa,
            torch.get_num_threads(),
        )  # fmt: skip
        if answer:
            self._fail(answer, isa)
        return out

    def expand(self, weight: LUTTensor, dtype: torch.dtype, isa: int | None = None) -> Tensor:
        """The weight itself, (N, K) in float32 or bfloat16: the bits of ``LUTTensor.dequantize``.

        Raises:
            MemoryError: if there is no room.
            ValueError: if the machine lacks the instruction set asked for.
        """
        N, K = weight.shape
        out = torch.empty(N, K, dtype=dtype)
        answer = self._expand(
            weight.packed.data_ptr(), weight.table.data_ptr(), weight.scales.data_ptr(), out.data_ptr(),
            N, K, weight.bits, weight.group, dtype == torch.bfloat16,
            self.best_isa if isa is None else isa, torch.get_num_threads(),
        )  # fmt: skip
        if answer:
            self._fail(answer, isa)
        return out

    def read(self, data: Tensor) -> int:
        """Read all bytes of a tensor once, with torch's number of threads: a probe of the memory's speed."""
        found: int = self._library.flute_read(
            data.data_ptr(), data.nbytes, self.best_isa, torch.get_num_threads()
        )
        return found

    def _fail(self, answer: int, isa: int | None) -> None:
        if answer == 1:
            raise MemoryError("no memory to arrange the activations")
        if answer == 2:
            raise ValueError(f"this machine has no {ISA.get(isa or 0, isa)}, only {self.instructions}")
        raise ValueError("the kernel does not know weights of this shape")


def _gomp_parallel() -> int | None:
    """Where the OpenMP of torch starts threads; None where it runs on something else."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value
    except (OSError, AttributeError, TypeError):
        return None


@functools.cache
def kernel() -> Kernel | None:
    """The kernel, compiled if it has to be; None, after one warning, where that is not possible."""
    try:
        return compiled()
    except CannotCompile as error:
        warnings.warn(
            f"{error}; products with packed weights are computed by torch, far slower", RuntimeWarning, 3
        )
        return None


def compiled(folder: Path | None = None, compiler: str | None = None) -> Kernel:
    """Find the object in the cache, or compile it, which takes up to a minute.

    Args:
        folder: Where objects are kept; None for ``kernels`` in the user's cache of presscheck.
        compiler: A C++ compiler; None for the one of the variable ``CXX``, else c++, g++ or clang++.

    Raises:
        CannotCompile: if there is no compiler, it fails, or the folder cannot be written.
    """
    compiler = _compiler(compiler)
    folder = folder or platformdirs.user_cache_path("presscheck") / "kernels"
    key = hashlib.sha256()
    sources = b"".join(path.read_bytes() for path in sorted(SOURCES.glob("*.[ch]*")))
    for part in (sources, _version_of(compiler), " ".join(FLAGS).encode(), _processor().encode()):
        key.update(len(part).to_bytes(8, "big") + part)
    path = folder / f"flute-{key.hexdigest()[:24]}.so"
    try:
        if _whole(path):
            return Kernel(path)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            part_path = Path(temporary) / path.name
            _run([compiler, *FLAGS, str(SOURCE), "-o", str(part_path)])
            data = part_path.read_bytes()
            # A loader ignores what follows the object, and dies on one that was cut short: hence the hash.
            part_path.write_bytes(data + hashlib.sha256(data).digest())
            part_path.replace(path)
        return Kernel(path)
    except (OSError, AttributeError) as error:
        raise CannotCompile(
            f"cannot keep the compiled kernel in {folder}, or load it from there: {error}"
        ) from error


def _whole(path: Path) -> bool:
    """Whether a file is an object with its hash behind it."""
    try:
        data = path.read_bytes()
    except OSError:
        return False
    return hashlib.sha256(data[:-32]).digest() == data[-32:]


def _compiler(asked: str | None) -> str:
    names = [asked] if asked else [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    for name in names:
        if name and (found := shutil.which(name)):
            return found
    raise CannotCompile(
        f"no C++ compiler found ({', '.join(filter(None, names))}); Debian's is `apt install g++`"
    )


def _version_of(compiler: str) -> bytes:
    return _run([compiler, "--version"]).encode()


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCompile(f"{command[0]} did not run: {error}") from error
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if line.strip()), "no message")
        raise CannotCompile(f"{command[0]} failed on {SOURCE.name}: {first}")
    return done.stdout


def _processor() -> str:
    """What tells processors apart, so that a home that unlike machines share holds an object for each."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    features = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return f"{platform.system()} {platform.machine()} {features.partition(':')[2].strip()}"
