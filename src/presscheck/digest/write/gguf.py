"""GGUF files: whether one is a model, and loading it with llama.cpp (xllamacpp)."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from presscheck.errors import BadInput

SMALLEST = 1024
"""Bytes; a file of this size holds no model."""
VERSIONS = (2, 3)
"""Of the format, as llama.cpp reads them."""


def check_gguf(path: Path) -> None:
    """Look at a file's first bytes.

    Raises:
        BadInput: if it is missing, or is no GGUF file; nothing is loaded.
    """
    try:
        with path.open("rb") as file:
            head = file.read(24)
        size = path.stat().st_size
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}", hint="need the path of a GGUF file") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from error
    if len(head) < 24 or head[:4] != b"GGUF":
        begins = head[:4].decode("latin-1")
        raise BadInput(f"{path} is no GGUF file: it begins with {begins!r}, need 'GGUF'")
    version, tensors, values = struct.unpack("<IQQ", head[4:24])
    if version not in VERSIONS:
        raise BadInput(f"{path} is a GGUF file of version {version}, need {' or '.join(map(str, VERSIONS))}")
    if not tensors or not values or size < SMALLEST:
        raise BadInput(f"{path} is a GGUF file without a model: {tensors} tensors, {size} bytes")


def load(path: Path, *, context: int, threads: int, key: str = "") -> Any:
    """Load a model; the server that comes with it listens on a free port of 127.0.0.1.

    Args:
        path: Of the GGUF file.
        context: Tokens of question and answer together.
        threads: Of the processor.
        key: Without which the port answers nobody; empty for none.

    Returns:
        ``xllamacpp.Server``: ``handle_chat_completions`` asks it in this process, and
        ``listening_address`` is where it speaks the OpenAI protocol.

    Raises:
        BadInput: if xllamacpp is missing, or the file cannot be loaded.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise BadInput(
            "a model in a file needs xllamacpp", hint="`pip install 'presscheck[local]'`"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context
    params.n_parallel = 1
    # Left alone, llama.cpp counts the machine's processors and not those that we may use.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.verbosity = -1
    params.warmup = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    if key:
        params.api_keys = [key]
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise BadInput(
            f"{path} cannot be loaded: {str(error)[:200]}",
            hint="need a GGUF file of a chat model that llama.cpp knows",
        ) from error
