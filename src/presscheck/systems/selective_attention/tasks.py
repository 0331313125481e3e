"""What the small decoders learn: variables that are assigned again and again, and text that Python brings.

Reference: Leviathan, Kalman and Matias, arXiv 2410.02703, section 1 (variable assignment). Differences: the
text is the source of Python's standard library, not C4.
Shapes: B batch, N tokens.
"""

from __future__ import annotations

import functools
import random
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

IGNORED = -100
BOS = 0

# Variable assignment ------------------------------------------------------------------

VARIABLES, VALUES = 3, 10
SEMICOLON, QUESTION = 1, 2
FIRST_VALUE = 3
FIRST_VARIABLE = FIRST_VALUE + VALUES
VOCABULARY = FIRST_VARIABLE + VARIABLES


def assignments(rows: int, tokens: int, seed: int, questions: float = 0.0) -> tuple[Tensor, Tensor]:
    """Programs such as ``;a3;b7;a1?a``, to be continued by the value assigned last.

    Args:
        rows: B.
        tokens: N, at least 5: statements of three, and the question's two. The first token is
            repeated in front where statements do not fill the room.
        seed: Of variables and values.
        questions: Share of statements that ask for a variable and give the answer, ``?a1``, where
            the variable has a value by then. They are what training learns from most.

    Returns:
        ids (B, N), and labels (B, N): the answer behind each variable asked for, -100 elsewhere.

    Raises:
        ValueError: if there is no room for a statement.
    """
    count = (tokens - 2) // 3
    if count < 1:
        raise ValueError(f"{tokens} tokens leave no room for an assignment: need at least 5")
    draw = torch.Generator().manual_seed(seed)
    names = torch.randint(VARIABLES, (rows, count + 1), generator=draw)
    values = torch.randint(VALUES, (rows, count + 1), generator=draw)
    wanted = torch.rand(rows, count + 1, generator=draw) < questions
    wanted[:, -1] = True
    # The last one asks for a variable that some statement before it names.
    names[:, -1:] = names.gather(1, torch.randint(count, (rows, 1), generator=draw))
    asks = torch.zeros(rows, count + 1, dtype=torch.bool)
    held = torch.full((rows, VARIABLES), -1)
    for i in range(count + 1):
        name = names[:, i : i + 1]
        known = held.gather(1, name)
        asks[:, i] = wanted[:, i] & (known[:, 0] >= 0)
        values[:, i] = torch.where(asks[:, i], known[:, 0], values[:, i])
        held.scatter_(1, name, values[:, i : i + 1])
    signs = torch.where(asks, QUESTION, SEMICOLON)
    statements = torch.stack([signs, FIRST_VARIABLE + names, FIRST_VALUE + values], dim=2)
    body = statements.flatten(1)[:, :-1]  # the last question's answer is left to the model
    filler = torch.full((rows, tokens - body.shape[1]), BOS)
    ids = torch.cat([filler, body], dim=1)
    answers = torch.full_like(statements, IGNORED)
    answers[:, :, 1] = torch.where(asks, FIRST_VALUE + values, IGNORED)
    labels = torch.cat([torch.full_like(filler, IGNORED), answers.flatten(1)[:, :-1]], dim=1)
    return ids, labels


@torch.no_grad()
def assignment_accuracy(model: Any, tokens: int, seed: int, rows: int = 512, batch: int = 64) -> float:
    """Share of programs whose answer is the likeliest token."""
    ids, labels = assignments(rows, tokens, seed)
    right = 0
    for some, wanted in zip(ids.split(batch), labels.split(batch), strict=True):
        logits = model(input_ids=some, use_cache=False, logits_to_keep=1).logits[:, -1]
        right += int((logits.argmax(-1) == wanted[:, -1]).sum())
    return right / rows


# Text ---------------------------------------------------------------------------------


@functools.cache
def library_files() -> tuple[str, ...]:
    """The source files of Python's standard library, in the order of their paths.

    Tests are left out, and so are the longest files, which would fill what is held out.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "lib2to3"}
    texts = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if not skipped & set(parts) and 1000 < path.stat().st_size < 60_000:
            texts.append(path.read_text("utf-8", errors="replace"))
    return tuple(texts)


@dataclass(frozen=True)
class Text:
    """Documents as token ids."""

    documents: tuple[Tensor, ...]
    vocab: int

    def split(self, seed: int, held_out: float = 0.2) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens, (T,) each, to train on, to choose on and to measure on, in documents that the seed draws.

        Args:
            seed: Of the order of documents.
            held_out: About the share of tokens that is not trained on, half of it to choose on.
        """
        order = random.Random(f"documents {seed}").sample(range(len(self.documents)), len(self.documents))
        total = sum(map(len, self.documents))
        parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
        for index in order:
            taken = [sum(map(len, part)) for part in parts]
            part = next((i for i in (1, 2) if taken[i] < held_out * total / 2), 0)
            parts[part].append(self.documents[index])
        used, choose, test = (torch.cat(part) for part in parts)
        return used, choose, test


@functools.lru_cache(maxsize=2)
def text(vocab: int, characters: int, more: tuple[str, ...] = ()) -> Text:
    """The library's sources, and more, in byte-level BPE; id 0 begins every window.

    Args:
        vocab: Tokens, the beginning's included; at least 257.
        characters: About how much text is taken.
        more: Other documents, which come first.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    taken: list[str] = []
    for one in [*more, *random.Random("library").sample(library_files(), len(library_files()))]:
        if sum(map(len, taken)) >= characters:
            break
        taken.append(one)
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=["<s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(random.Random("tokens").sample(taken, min(len(taken), 80)), trainer)
    encoded = tokenizer.encode_batch(taken)
    return Text(tuple(torch.tensor(one.ids) for one in encoded), tokenizer.get_vocab_size())


def windows(tokens: Tensor, rows: int, length: int, seed: int | str) -> Tensor:
    """(rows, length): runs of tokens at places that the seed draws, each behind a first token."""
    draw = random.Random(f"windows {seed}")
    starts = [draw.randrange(len(tokens) - length + 2) for _ in range(rows)]
    body = torch.stack([tokens[start : start + length - 1] for start in starts])
    return torch.cat([torch.full((rows, 1), BOS), body], dim=1)


def text_batches(tokens: Tensor, rows: int, length: int, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    """Windows for each training step, labels one ahead."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        ids = windows(tokens, rows, length + 1, f"{seed} {step}")
        return ids[:, :-1], ids[:, 1:]

    return batch


def assignment_batches(rows: int, tokens: int, seed: int) -> Callable[[int], tuple[Tensor, Tensor]]:
    """New programs for each training step; evaluation seeds are never among them."""
    return lambda step: assignments(rows, tokens, 1_000_000 * (seed + 1) + step, questions=0.5)


def grid(context: int, shares: Sequence[float]) -> list[int]:
    """Budgets from small to the whole context."""
    return sorted({min(context, max(2, round(context * share))) for share in shares} | {context})
