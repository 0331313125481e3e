"""Holds a model's answer to a JSON schema, and keeps it from going round in circles.

Both are logits processors of ``transformers``: they see the tokens so far and the logits of the
next one. The grammar is llguidance's, as in vLLM and llama.cpp.
Shapes: B batch (always 1), T tokens, V vocabulary.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from presscheck.errors import BadInput

BREAKERS = frozenset('\n:"*')
"""Characters that end a repetition: the marks of the answer's form come again and again."""


class Grammar:
    """A tokenizer as llguidance wants it; made once a model, since it takes about a second.

    Args:
        tokenizer: A fast tokenizer of ``transformers``.
        vocabulary: Width of the model's logits.
        ends: Ids of the tokens that end an answer.

    Raises:
        BadInput: if llguidance is missing or the tokenizer is no fast one.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, ends: list[int]) -> None:
        try:
            import llguidance.hf
        except ImportError as error:
            raise BadInput(
                "a model of transformers needs llguidance to answer in JSON",
                hint="`pip install 'presscheck[hf]'`",
            ) from error
        try:
            self.tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=ends)
        except ValueError as error:
            raise BadInput(f"the model's tokenizer does not serve: {str(error)[:200]}") from error
        self.vocabulary = vocabulary

    def bound(self, schema: dict[str, Any], prompt: int) -> SchemaProcessor:
        """A processor for one answer after a prompt of so many tokens."""
        return SchemaProcessor(self, schema, prompt)


class SchemaProcessor(LogitsProcessor):
    """Leaves only tokens with which the answer can still become JSON of the schema."""

    def __init__(self, grammar: Grammar, schema: dict[str, Any], prompt: int) -> None:
        import llguidance

        compiled = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        self._matcher = llguidance.LLMatcher(grammar.tokenizer, compiled)
        if wrong := self._matcher.get_error():
            raise ValueError(f"the schema is no grammar: {wrong[:300]}")
        self._seen = prompt
        self._mask = np.zeros((1, (grammar.vocabulary + 31) // 32), dtype=np.int32)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(1, T) ids and (1, V) logits → (1, V) logits, -inf where the schema does not lead."""
        import llguidance.numpy

        new = input_ids[0, self._seen :].tolist()
        self._seen += len(new)
        if not self._matcher.is_stopped():
            for token in new:
                self._matcher.consume_token(token)
        llguidance.numpy.fill_next_token_bitmask(self._matcher, self._mask)
        bits = np.unpackbits(self._mask.view(np.uint8), bitorder="little")[: scores.shape[-1]]
        allowed = torch.from_numpy(bits.astype(bool)).to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))


class NoLoops(LogitsProcessor):
    """Makes a token that would go on with a repetition unlikelier, the more the longer it is.

    The sampler DRY as llama.cpp has it: a token that would make the last n > `allowed` tokens come again
    loses ``strength * 1.75 ** (n - allowed)``. Only the last `span` tokens of the answer count, so
    that names and the paper's own words may be used again.

    Args:
        tokenizer: To see which tokens end a repetition.
        prompt: Tokens of the prompt, which do not count.
        allowed: Tokens in a row that may come again.
        span: Tokens that are looked back on.
        strength: Of the shortest repetition that is not allowed.
    """

    def __init__(
        self, tokenizer: Any, prompt: int, *, allowed: int = 6, span: int = 96, strength: float = 0.8
    ) -> None:
        self._tokenizer, self._prompt = tokenizer, prompt
        self._allowed, self._span, self._strength = allowed, span, strength
        self._breaks: dict[int, bool] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(1, T) ids and (1, V) logits → (1, V) logits."""
        said = input_ids[0, self._prompt :].tolist()[-self._span :]
        longest: dict[int, int] = {}
        for end in range(len(said) - 1):
            # The tokens up to `end` against the last ones: what came next then would repeat.
            run = 0
            while run <= end and said[end - run] == said[-1 - run] and not self._ends(said[-1 - run]):
                run += 1
            if run >= self._allowed and not self._ends(said[end + 1]):
                longest[said[end + 1]] = max(run, longest.get(said[end + 1], 0))
        if longest:
            scores = scores.clone()
            for token, run in longest.items():
                scores[0, token] -= self._strength * 1.75 ** min(run - self._allowed, 60)
        return scores

    def _ends(self, token: int) -> bool:
        if token not in self._breaks:
            self._breaks[token] = bool(BREAKERS & set(self._tokenizer.decode([token])))
        return self._breaks[token]
