"""Speculative Jacobi decoding over any function of logits, and the decoders it is compared with.

Reference: Teng et al., arXiv 2410.01699, Algorithm 1. The coupled mode is predictive sampling (Wiggers and
Hoogeboom, ICML 2020). Differences: the prompt is a pass of its own in every mode; rows of a batch are
decoded one by one. Shapes: n tokens, m tokens of a window, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from . import criterion
from .filters import Filter, Forcing
from .initial import NAMES, Init, Window, initial

Step = Callable[[Tensor, int], Tensor]
"""``step(tokens, past)``: (m, V) logits of what follows each of (m,) tokens, which come after the first
`past` tokens that the step has been given; anything it was given beyond those is to be forgotten.
With `past` 0 the tokens are a prompt, of which the last row is enough."""

MODES = ("ar", "jacobi", "sjd", "gumbel_jacobi")


@dataclass(frozen=True)
class Pass:
    """What one forward pass settled."""

    position: int
    """Of its first token."""
    tokens: Tensor
    """(k,), k at least 1: accepted drafts, then the one token that every pass adds."""
    drafts: int
    """Drafts that were tested."""
    accepted: int
    """Drafts that were kept: k - 1."""
    fresh: int
    """Of those kept, initial tokens, about which the model had said nothing when they were drafted."""


@dataclass(frozen=True)
class SJDOutput:
    """A sample, and what it cost."""

    tokens: Tensor
    """(n,): the generated tokens; the prompt is left out."""
    n_forward: int
    """Forward passes, the one over the prompt included, in every mode."""
    accepted_per_step: tuple[int, ...]
    """Tokens that each pass settled; they sum to n."""
    trace: tuple[Pass, ...]

    @property
    def compression(self) -> float:
        """Tokens a forward pass: 1 when they come one by one."""
        return len(self.tokens) / self.n_forward

    @property
    def cost(self) -> Tensor:
        """(n,): the share of a forward pass that each token took; the sum is ``n_forward``."""
        return torch.cat([torch.full((len(p.tokens),), 1 / len(p.tokens)) for p in self.trace])


def from_logits(function: Callable[[Tensor], Tensor]) -> Step:
    """A step from a function of all tokens: (n,) → (n, V), row i about what follows token i. No cache."""
    given = torch.zeros(0, dtype=torch.long)

    def step(tokens: Tensor, past: int) -> Tensor:
        nonlocal given
        given = torch.cat([given.to(tokens.device)[:past], tokens])
        return function(given)[past:]

    return step


class SpeculativeJacobiSampler:
    """Samples from an autoregressive model in fewer passes than tokens, from the same distribution.

    Modes: ``ar`` one token a pass; ``jacobi`` a window is drawn anew each pass and kept as far as
    it repeats itself; ``sjd`` the paper's test; ``gumbel_jacobi`` the noise of every position is drawn
    once, and the window iterated to its fixed point, which is token for token the sample of ``ar`` with
    an equal generator (up to rounding in the model). All draw from the model's own distribution.

    Args:
        step: See ``Step``; ``from_logits`` and ``from_causal_lm`` make one.
        window: Tokens of a pass: the last accepted one and window - 1 drafts. Unused by ``ar``.
        mode: One of ``MODES``.
        init: How drafts begin: one of ``random``, ``repeat_left``, ``repeat_above``, ``sample_left``, or
            a function of a ``Window``.
        draft_q: ``one_hot``: an initial token counts as certain; ``proposal``: as drawn from
            what it was drawn from. Only ``sjd`` asks.
        filter: Applied to all logits; see ``filters``. None for none.
        low: First token that ``random`` may draw.
        high: One beyond the last; None for the vocabulary.
        generator: Source of randomness; None for torch's own.

    Raises:
        ValueError: if a setting is out of range.
    """

    def __init__(
        self,
        step: Step,
        *,
        window: int = 16,
        mode: str = "sjd",
        init: str | Init = "random",
        draft_q: str = "one_hot",
        filter: Filter | None = None,
        low: int = 0,
        high: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if window < 2:
            raise ValueError(
                f"window must be at least 2, got {window}: one accepted token and the drafts behind it"
            )
        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
        if not callable(init) and init not in NAMES:
            raise ValueError(f"init must be one of {', '.join(NAMES)} or a function, got {init!r}")
        if draft_q not in ("one_hot", "proposal"):
            raise ValueError(f"draft_q must be one_hot or proposal, got {draft_q!r}")
        if low < 0 or (high is not None and high <= low):
            raise ValueError(f"no token to draw from {low} to {high}: need 0 <= low < high, high excluded")
        self.step, self.window, self.mode = step, window, mode
        self.init, self.proposal = init, draft_q == "proposal"
        self.filter, self.low, self.high, self.generator = filter, low, high, generator

    def generate(
        self, prompt: Tensor | Sequence[int], n_tokens: int, grid_width: int | None = None
    ) -> SJDOutput:
        """Sample a sequence.

        Args:
            prompt: (p,) tokens, at least one.
            n_tokens: How many to generate.
            grid_width: Tokens of an image's row, separator included; for initial tokens from above.

        Raises:
            ValueError: if the prompt, the vocabulary or a filter does not fit.
        """
        trace = tuple(self.passes(prompt, n_tokens, grid_width))
        settled = tuple(len(p.tokens) for p in trace)
        return SJDOutput(torch.cat([p.tokens for p in trace]), len(trace), settled, trace)

    @torch.no_grad()
    def passes(
        self, prompt: Tensor | Sequence[int], n_tokens: int, grid_width: int | None = None
    ) -> Iterator[Pass]:
        """As ``generate``, pass by pass, so that a caller can stop."""
        prompt = torch.as_tensor(prompt, dtype=torch.long)
        if prompt.dim() != 1 or len(prompt) == 0:
            raise ValueError(
                f"the prompt must be one sequence (p,) of at least one token, got {tuple(prompt.shape)}: "
                "rows of a batch are decoded one by one"
            )
        if n_tokens < 1:
            raise ValueError(f"n_tokens must be at least 1, got {n_tokens}")
        if grid_width is not None and grid_width < 1:
            raise ValueError(f"grid_width must be at least 1, got {grid_width}: it is the tokens of a row")
        if self.init == "repeat_above" and grid_width is None:
            raise ValueError("init='repeat_above' needs grid_width, the tokens of a row")
        state = _Sequence(self, prompt, n_tokens, grid_width)
        yield state.read()
        while state.position < n_tokens:
            yield state.advance()


class _Sequence:
    """One sequence under way."""

    def __init__(
        self, sampler: SpeculativeJacobiSampler, prompt: Tensor, n_tokens: int, width: int | None
    ) -> None:
        self.sampler, self.prompt, self.n_tokens, self.width = sampler, prompt, n_tokens, width
        # Two streams of random numbers: the noise of `ar` and `gumbel_jacobi` must not depend on how
        # many others a mode uses.
        device = prompt.device
        seeds = torch.randint(2**62, (2,), generator=sampler.generator, device=_device(sampler.generator))
        self.rng, self.noise_rng = (torch.Generator(device).manual_seed(int(seed)) for seed in seeds)
        self.noise = torch.zeros(0, 0, dtype=torch.float64, device=device)
        self.noise_from = 0  # position of its first row
        self.tokens = torch.zeros(0, dtype=torch.long, device=device)
        """(n + d,): accepted tokens, then d pending drafts."""
        self.position = 0
        self.laws = torch.zeros(0, 0, dtype=torch.float64, device=device)
        """(d, V): what the pending drafts were drawn from."""
        self.seen: Tensor | None = None
        """(V,): the distribution of the last token that the model has spoken about."""
        self.fresh: list[bool] = []
        self.vocab_size = 0

    def read(self) -> Pass:
        """The pass over the prompt: one token."""
        p = self._law(self.prompt, 0)[-1:]
        self.past = len(self.prompt)
        if self.sampler.mode in ("ar", "gumbel_jacobi"):
            token = self._coupled(p)
        else:
            token = criterion.draw(p, self.rng)
        self.seen = p[0]
        self.laws = p[:0]
        return self._settle(token, p[:0], p[:0, 0].long(), 0)

    def advance(self) -> Pass:
        """One pass over the last accepted token and the window behind it."""
        mode = self.sampler.mode
        left = self.n_tokens - self.position
        wanted = 0 if mode == "ar" else min(self.sampler.window, left) - 1
        self._fill(wanted)
        x = self.tokens[self.position :]
        p = self._law(self.tokens[self.position - 1 :], self.past)
        if mode == "sjd":
            return self._speculate(x, p)
        y = criterion.draw(p, self.rng) if mode == "jacobi" else self._coupled(p)
        differs = torch.cat([x != y[:-1], x.new_ones(1, dtype=torch.bool)])
        kept = int(differs.int().argmax())
        self.seen = p[-1]
        return self._settle(y[: kept + 1], p[kept + 1 :], y[kept + 1 :], len(x))

    def _speculate(self, x: Tensor, p: Tensor) -> Pass:
        kept = criterion.accept_prefix(p[:-1], self.laws, x, self.rng)
        last = p[kept]
        if kept < len(x):
            last = criterion.residual(last, self.laws[kept])
        # The refused draft's successors were conditioned on it; they are redrawn from laws that were, too.
        tail = p[kept + 1 :]
        drafts = criterion.redraw(tail, x[kept + 1 :], self.rng)
        self.seen = p[-1]
        token = criterion.draw(last[None], self.rng)
        return self._settle(torch.cat([x[:kept], token]), tail, drafts, len(x))

    def _settle(self, tokens: Tensor, laws: Tensor, drafts: Tensor, tested: int) -> Pass:
        kept = len(tokens) - 1
        settled = Pass(self.position, tokens, tested, kept, sum(self.fresh[:kept]))
        if self.position:  # the cache has the last accepted token and the drafts kept, not the new token
            self.past += len(tokens)
        self.tokens = torch.cat([self.tokens[: self.position], tokens, drafts])
        self.position += len(tokens)
        self.laws, self.fresh = laws, [False] * len(drafts)
        return settled

    def _fill(self, wanted: int) -> None:
        """Make the pending drafts `wanted` many."""
        pending = len(self.tokens) - self.position
        if pending >= wanted:
            self.tokens = self.tokens[: self.position + wanted]
            self.laws, self.fresh = self.laws[:wanted], self.fresh[:wanted]
            return
        sampler, new = self.sampler, []
        high = sampler.high or self.vocab_size
        forced = sampler.filter if isinstance(sampler.filter, Forcing) else None
        assert self.seen is not None
        law = self.seen
        for _ in range(wanted - pending):
            position = len(self.tokens)
            token = forced.token_at(position) if forced else None
            if token is None:
                window = Window(self.tokens, law, position, self.width, sampler.low, high, self.rng)
                token, q = initial(sampler.init, window, self.vocab_size, sampler.proposal)
            else:
                q = criterion.one_hot(self.tokens.new_tensor([token]), self.vocab_size)[0]
            self.tokens = torch.cat([self.tokens, self.tokens.new_tensor([token])])
            new.append(q)
        self.laws = torch.cat([self.laws, torch.stack(new)])
        self.fresh += [True] * len(new)

    def _law(self, tokens: Tensor, past: int) -> Tensor:
        """(m, V) probabilities of what follows each token, after all filters; of the prompt, the last."""
        logits = self.sampler.step(tokens, past)
        if logits.dim() != 2 or len(logits) not in {len(tokens), 1 if past == 0 else len(tokens)}:
            raise ValueError(
                f"the step gave logits of shape {tuple(logits.shape)} for {len(tokens)} tokens: need "
                f"({len(tokens)}, vocabulary), a row about what follows each token"
            )
        if not self.vocab_size:
            self._check(logits)
        elif logits.shape[1] != self.vocab_size:
            raise ValueError(f"the vocabulary changed from {self.vocab_size} to {logits.shape[1]} tokens")
        rows = logits[-1:] if past == 0 else logits
        positions = torch.arange(self.position, self.position + len(rows), device=rows.device)
        if self.sampler.filter is not None:
            rows = self.sampler.filter(positions, rows)
        return criterion.probabilities(rows, self.position).to(self.prompt.device)

    def _check(self, logits: Tensor) -> None:
        self.vocab_size = logits.shape[1]
        low, high = int(self.prompt.min()), int(self.prompt.max())
        if low < 0 or high >= self.vocab_size:
            raise ValueError(
                f"the prompt has the token {low if low < 0 else high}, the model's logits are over "
                f"{self.vocab_size}"
            )
        sampler = self.sampler
        if max(sampler.low + 1, sampler.high or 0) > self.vocab_size:
            raise ValueError(
                f"initial tokens from {sampler.low} to {sampler.high} do not fit a vocabulary of "
                f"{self.vocab_size}"
            )

    def _coupled(self, p: Tensor) -> Tensor:
        """(m,): argmax of log p plus Gumbel noise that each position has once and for all."""
        if self.noise.shape[1] == 0:
            self.noise = self.noise.new_zeros(0, p.shape[1])
        self.noise = self.noise[self.position - self.noise_from :]
        self.noise_from = self.position
        while len(self.noise) < len(p):
            # Row by row, so that the noise of a position does not depend on how many are drawn at once.
            uniform = torch.rand(1, p.shape[1], generator=self.noise_rng, dtype=p.dtype, device=p.device)
            gumbel = -torch.log(-torch.log(uniform.clamp(min=math.ulp(0.0))))
            self.noise = torch.cat([self.noise, gumbel])
        choice: Tensor = (p.log() + self.noise[: len(p)]).argmax(-1)
        return choice


def _device(generator: torch.Generator | None) -> torch.device:
    return generator.device if generator is not None else torch.device("cpu")
