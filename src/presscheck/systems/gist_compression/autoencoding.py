"""Fine-grained autoencoding: a weak decoder has to rebuild the raw tokens from their gist.

Reference: Deng et al., arXiv 2412.17483, section 5. One block is weak on purpose: what a strong
decoder rebuilds it may have guessed. Shapes: B batch, T raw tokens, M gists, r raw tokens of a gist,
E channels, V vocabulary, S = B * M.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A causal transformer block, normalised in front."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.RMSNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.out = nn.Linear(channels, channels, bias=False)
        self.before_mlp = nn.RMSNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.SiLU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(S, r, E) to the same."""
        S, r, E = x.shape
        q, k, v = self.qkv(self.before_attention(x)).view(S, r, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(seen.transpose(1, 2).reshape(S, r, E))
        return x + self.mlp(self.before_mlp(x))


class WeakDecoder(nn.Module):
    """Rebuilds an interval of r raw tokens from its gist, token by token.

    Its input is the gist and then the tokens rebuilt so far; embeddings and output head are the
    model's own. Nothing else of the text reaches it.

    Args:
        channels: Of the model, E.
        ratio: Raw tokens of a gist, r.
        heads: Of its attention; as many of the usual 64 channels as fit, if None.
        blocks: 1 is weak; more are stronger.
    """

    def __init__(self, channels: int, ratio: int, heads: int | None = None, blocks: int = 1) -> None:
        super().__init__()
        heads = heads or next(n for n in (channels // 64, channels // 32, 1) if n and channels % n == 0)
        self.ratio = ratio
        self.gist = nn.Linear(channels, channels)
        self.places = nn.Parameter(torch.randn(ratio, channels) * 0.02)
        self.blocks = nn.ModuleList(Block(channels, heads) for _ in range(blocks))
        self.norm = nn.RMSNorm(channels)

    def forward(self, gists: Tensor, tokens: Tensor) -> Tensor:
        """Hidden states of which the model's head makes logits.

        Args:
            gists: (S, E).
            tokens: (S, n, E): embeddings of the first n < r tokens of each interval.

        Returns:
            (S, n + 1, E): place i predicts token i.
        """
        x = torch.cat([self.gist(gists)[:, None], tokens], dim=1)
        x = x + self.places[: x.shape[1]]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm(x)
        return out

    def loss(self, gists: Tensor, ids: Tensor, model: Any) -> Tensor:
        """Mean cross-entropy of the raw tokens of all complete intervals.

        Args:
            gists: (B, M, E).
            ids: (B, T).
            model: Whose embeddings and head are used.

        Returns:
            In nats; 0 if no interval is complete.
        """
        target = intervals(ids, gists, self.ratio)
        if target.shape[0] == 0:
            return gists.sum() * 0.0
        tokens = model.get_input_embeddings()(target[:, :-1])
        logits = model.get_output_embeddings()(self(gists.flatten(0, 1), tokens))
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten())

    @torch.no_grad()
    def rebuild(self, gists: Tensor, model: Any) -> Tensor:
        """The likeliest tokens of each interval, from the gists alone.

        Args:
            gists: (B, M, E).
            model: Whose embeddings and head are used.

        Returns:
            (B, M * r) token ids.
        """
        flat = gists.flatten(0, 1)
        ids = torch.zeros(len(flat), 0, dtype=torch.long, device=flat.device)
        for _ in range(self.ratio):
            hidden = self(flat, model.get_input_embeddings()(ids))
            token = model.get_output_embeddings()(hidden[:, -1]).argmax(-1, keepdim=True)
            ids = torch.cat([ids, token], dim=1)
        return ids.view(gists.shape[0], -1)


def intervals(ids: Tensor, gists: Tensor, ratio: int) -> Tensor:
    """(B * M, r): the raw tokens that each gist stands for.

    Args:
        ids: (B, T).
        gists: (B, M, E); gist g stands for tokens g * r to (g + 1) * r - 1.
        ratio: r.
    """
    M = gists.shape[1]
    return ids[:, : M * ratio].reshape(-1, ratio)


def fit_decoder(
    lm: Any, batches: list[Tensor], *, learning_rate: float = 3e-3, blocks: int = 1, seed: int = 0
) -> WeakDecoder:
    """Train a decoder for a gist model that stays as it is: what do its gists hold?

    Args:
        lm: A ``GistCausalLM``.
        batches: (B, T) raw tokens each, one step a batch.
        learning_rate: Of AdamW, falling to 0 in a line.
        blocks: 1 is weak.
        seed: Of its first weights.

    Raises:
        ValueError: without a batch.
    """
    if not batches:
        raise ValueError("fit_decoder needs at least one batch, got none")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = WeakDecoder(lm.gist.shape[0], lm.config.ratio, blocks=blocks).to(lm.gist.device)
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=len(batches))
    for ids in batches:
        with torch.no_grad():
            gists = lm(ids).gists
        loss = decoder.loss(gists, ids, lm.model)
        optimizer.zero_grad()
        grads = torch.autograd.grad(loss, list(decoder.parameters()))  # none for the model's own
        for parameter, grad in zip(decoder.parameters(), grads, strict=True):
            parameter.grad = grad
        optimizer.step()
        schedule.step()
    return decoder.eval()
