"""What a record says of where it was made: machine, packages, code."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def same_threads() -> None:
    """Give every library of this process and its workers the same number of threads.

    It has to be called before they load; a number that the user has set stays.
    """
    cores = str(len(os.sched_getaffinity(0)))
    for name in THREADS:
        os.environ.setdefault(name, os.environ.get("OMP_NUM_THREADS", cores))


def machine(device: str = "cpu") -> dict[str, Any]:
    """Processor, cores, threads, memory in bytes, GPU, system, Python."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "device": device,
        "gpu": _gpu(),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def in_words(machine: dict[str, Any]) -> str:
    """A machine in a few words, for a table: "2 cores · AMD EPYC"."""
    cores = machine.get("cores", "?")
    words = [f"{cores} core{'s' if cores != 1 else ''}", str(machine.get("cpu", ""))]
    return " · ".join([*words, *([str(machine["gpu"])] if machine.get("gpu") else [])])


def packages() -> dict[str, str]:
    """Name and version of every distribution that this process has loaded a module of."""
    owners = metadata.packages_distributions()
    loaded = {name.split(".")[0] for name in sys.modules}
    names = sorted({owner for module in loaded for owner in owners.get(module, ())})
    return {name: metadata.version(name) for name in names}


def code(folder: Path) -> dict[str, Any]:
    """Version and commit of presscheck, and hashes of a system's claims and of its other files."""
    return {
        "version": metadata.version("presscheck"),
        **_commit(folder),
        "claims": claims_hash(folder),
        "folder": folder_hash(folder),
    }


def claims_hash(folder: Path) -> str:
    """SHA-256 of claims.toml."""
    return hashlib.sha256((folder / "claims.toml").read_bytes()).hexdigest()


def folder_hash(folder: Path) -> str:
    """SHA-256 over names and contents of a system's files, but for its claims and its README.

    Neither of these two changes what is measured; what Python or a compiler leaves there does not
    count either.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or "__pycache__" in name or name in {"claims.toml", "README.md"}:
            continue
        data = path.read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _gpu() -> str:
    """The name of the GPU, asked of torch only where an experiment has loaded it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return str(torch.cuda.get_device_name(0))


def _commit(folder: Path) -> dict[str, Any]:
    """The commit that a folder is of, where it is a checkout; ``dirty`` if the folder differs from it."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        return {}
