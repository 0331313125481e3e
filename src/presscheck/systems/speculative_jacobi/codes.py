"""Images as tokens: pixels of few levels, and patches as codes of a k-means codebook.

Shapes: N images, H and W pixels, C channels, K codes, P pixels of a patch's side.
"""

from __future__ import annotations

import torch
from torch import Tensor


class PatchVQ:
    """A codebook of patches by k-means, on which images are encoded and decoded.

    Args:
        patch: P.
        codes: K.

    Raises:
        ValueError: if one is below 1.
    """

    def __init__(self, patch: int = 4, codes: int = 256) -> None:
        if patch < 1 or codes < 1:
            raise ValueError(f"need a patch and codes of at least 1, got {patch} and {codes}")
        self.patch, self.codes = patch, codes
        self.book: Tensor | None = None
        """(K, P * P * C)."""

    def fit(self, images: Tensor, seed: int = 0, iterations: int = 12) -> PatchVQ:
        """Find the codebook: Lloyd's algorithm from patches drawn at random; empty codes are drawn anew.

        Args:
            images: (N, H, W, C) floats in [0, 1]; H and W multiples of P.
            seed: Of the draws.
            iterations: Of Lloyd's algorithm.

        Raises:
            ValueError: if there are fewer patches than codes.
        """
        patches = self._patches(images)[0]
        if len(patches) < self.codes:
            raise ValueError(f"{len(patches)} patches do not give {self.codes} codes")
        rng = torch.Generator().manual_seed(seed)
        book = patches[torch.randperm(len(patches), generator=rng)[: self.codes]].clone()
        for _ in range(iterations):
            nearest = _nearest(patches, book)
            count = torch.bincount(nearest, minlength=self.codes)
            book = torch.zeros_like(book).index_add_(0, nearest, patches) / count.clamp(min=1)[:, None]
            empty = (count == 0).nonzero()[:, 0]
            book[empty] = patches[torch.randperm(len(patches), generator=rng)[: len(empty)]]
        self.book = book
        return self

    def encode(self, images: Tensor) -> Tensor:
        """(N, H, W, C) images to (N, H / P, W / P) codes."""
        patches, shape = self._patches(images)
        return _nearest(patches, self._fitted()).view(shape)

    def decode(self, codes: Tensor) -> Tensor:
        """(N, h, w) codes to (N, h * P, w * P, C) images."""
        n, h, w = codes.shape
        p = self.patch
        patches = self._fitted()[codes].view(n, h, w, p, p, -1)
        return patches.permute(0, 1, 3, 2, 4, 5).reshape(n, h * p, w * p, -1)

    def _patches(self, images: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        n, height, width, channels = images.shape
        p = self.patch
        if height % p or width % p:
            raise ValueError(f"images of {height} x {width} pixels do not split into patches of {p}")
        h, w = height // p, width // p
        split = images.view(n, h, p, w, p, channels).permute(0, 1, 3, 2, 4, 5)
        return split.reshape(n * h * w, p * p * channels).float(), (n, h, w)

    def _fitted(self) -> Tensor:
        if self.book is None:
            raise ValueError("the codebook is empty: call fit first")
        return self.book


def _nearest(patches: Tensor, book: Tensor) -> Tensor:
    """(n,) codes; in parts, since all distances at once take gigabytes."""
    return torch.cat([torch.cdist(part, book).argmin(1) for part in patches.split(1 << 15)])
