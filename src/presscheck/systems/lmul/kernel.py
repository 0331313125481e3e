"""Compiles ``kernel.cpp`` on first use and calls it.

The object lies in the user's cache folder under a hash of the source, the compiler's version, the
flags and the processor's features. It is moved there whole, so two processes may compile at once.
Where there is no compiler, or it fails, one warning says so and the torch reference computes the same
bits, slower.
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

SOURCE = Path(__file__).with_name("kernel.cpp")
FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread", "-ffp-contract=off")
VERSION = 1  # of the functions that kernel.cpp exports
ISA = {1: "portable", 2: "AVX2", 3: "AVX-512"}


class CannotCompile(RuntimeError):
    """There is no kernel on this machine; the message says why and what helps."""


class Kernel:
    """The compiled functions. Tensors are float32 on the CPU."""

    def __init__(self, path: Path) -> None:
        """Load the object.

        Raises:
            OSError: if it is no object of this machine.
            AttributeError: if it is another version's.
        """
        self.path = path
        self._library = ctypes.CDLL(str(path))
        if self._library.lmul_version() != VERSION:
            raise AttributeError(f"{path} is of another version")
        number, pointer = ctypes.c_int64, ctypes.c_void_p
        small = ctypes.c_int
        self._library.lmul_elementwise.argtypes = [pointer, pointer, pointer, number, ctypes.c_int32, small]
        self._library.lmul_elementwise.restype = None
        self._library.lmul_matmul.argtypes = [pointer] * 5 + [number] * 4 + [ctypes.c_int32] + [small] * 3
        self.best_isa: int = self._library.lmul_isa()

    @property
    def instructions(self) -> str:
        """The instruction set that this machine runs."""
        return ISA[self.best_isa]

    def elementwise(self, x: Tensor, y: Tensor, constant: int, carry: bool) -> Tensor:
        """Products of two tensors of one shape."""
        x, y = x.contiguous(), y.contiguous()
        out = torch.empty_like(x)
        self._library.lmul_elementwise(
            x.data_ptr(), y.data_ptr(), out.data_ptr(), x.numel(), constant, int(not carry)
        )
        return out

    def matmul(self, a: Tensor, b: Tensor, constant: int, carry: bool, isa: int | None = None) -> Tensor:
        """(P, M, K) times (P, K, N), any strides, each output summed in the order of k.

        Args:
            a: (P, M, K).
            b: (P, K, N).
            constant: 2^-l in units of the last mantissa bit.
            carry: False reads Eq. 1 literally.
            isa: 1 portable, 2 AVX2, 3 AVX-512; None for the best.

        Raises:
            MemoryError: if the packed operands have no room.
            ValueError: if the machine lacks the instruction set asked for.
        """
        P, M, K = a.shape
        out = torch.empty(P, M, b.shape[2], dtype=torch.float32)
        strides = [(ctypes.c_int64 * 3)(*t.stride()) for t in (a, b)]
        answer = self._library.lmul_matmul(
            a.data_ptr(), strides[0], b.data_ptr(), strides[1], out.data_ptr(),
            P, M, b.shape[2], K, constant, int(not carry), isa or self.best_isa, torch.get_num_threads(),
        )  # fmt: skip
        if answer == 1:
            raise MemoryError(f"no memory to pack matrices of {tuple(a.shape)} and {tuple(b.shape)}")
        if answer == 2:
            raise ValueError(f"this machine has no {ISA.get(isa or 0, isa)}, only {self.instructions}")
        return out


@functools.cache
def kernel() -> Kernel | None:
    """The kernel, compiled if it has to be; None, after one warning, where that is not possible."""
    try:
        return compiled()
    except CannotCompile as error:
        warnings.warn(f"{error}; L-Mul is computed by torch, to the same bits, slower", RuntimeWarning, 3)
        return None


def compiled(folder: Path | None = None, compiler: str | None = None) -> Kernel:
    """Find the object in the cache, or compile it.

    Args:
        folder: Where objects are kept; None for ``kernels`` in the user's cache of presscheck.
        compiler: A C++ compiler; None for the one of the variable ``CXX``, else c++, g++ or clang++.

    Raises:
        CannotCompile: if there is no compiler, it fails, or the folder cannot be written.
    """
    compiler = _compiler(compiler)
    folder = folder or platformdirs.user_cache_path("presscheck") / "kernels"
    source = SOURCE.read_bytes()
    key = hashlib.sha256()
    for part in (source, _version_of(compiler), " ".join(FLAGS).encode(), _processor().encode()):
        key.update(len(part).to_bytes(8, "big") + part)
    path = folder / f"lmul-{key.hexdigest()[:24]}.so"
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
            f"cannot keep the compiled L-Mul kernel in {folder}, or load it from there: {error}"
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
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
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
