"""Real images with labels that lie on the disk already: handwritten digits, and crops of photographs.

The digits are scikit-learn's. The photographs are files of scikit-image and scikit-learn, read where
they were installed; a label says which photograph. Shapes: N images, H and W pixels.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .codes import PatchVQ

LEVELS = 17
PHOTOGRAPHS = (
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/motorcycle_left.png"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
INSTALL = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


@dataclass(frozen=True)
class Coded:
    """Images as codes, those that a model learns and those that are held out."""

    images: Tensor
    """(N, rows, columns)."""
    labels: Tensor
    held_out: Tensor
    held_out_labels: Tensor
    codes: int
    classes: int
    vq: PatchVQ | None = None


def digits(seed: int = 0, held_out: int = 297) -> Coded:
    """1797 handwritten digits of 8 x 8 pixels in 17 levels; the seed says which are held out.

    Raises:
        ImportError: without scikit-learn.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    codes, classes = torch.tensor(images).long().view(-1, 8, 8), torch.tensor(labels).long()
    order = torch.randperm(len(codes), generator=torch.Generator().manual_seed(seed))
    learnt, rest = order[:-held_out], order[-held_out:]
    return Coded(codes[learnt], classes[learnt], codes[rest], classes[rest], LEVELS, 10)


def photographs() -> list[Tensor]:
    """The photographs at half their size: (H, W, 3) each, in [0, 1].

    Raises:
        ImportError: naming the package that is missing.
    """
    from PIL import Image

    found = []
    for package, name in PHOTOGRAPHS:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ImportError(f"the photographs come with {INSTALL[package]}, which is not installed")
        path = Path(spec.origin).parent / name
        if not path.is_file():
            raise ImportError(f"this {INSTALL[package]} has no {name}: need 0.26 or near it")
        with Image.open(path) as image:
            half = image.convert("RGB").reduce(2)
            pixels = torch.frombuffer(bytearray(half.tobytes()), dtype=torch.uint8)
            found.append(pixels.view(half.height, half.width, 3).float() / 255)
    return found


def crops(photos: list[Tensor], count: int, side: int, seed: int, *, held_out: bool) -> tuple[Tensor, Tensor]:
    """Crops drawn at random, as many of each photograph, half of them mirrored.

    What is held out lies in the right third of a photograph, the others in the rest, so none overlap.

    Args:
        photos: (H, W, 3) each.
        count: N, in all.
        side: Of a crop, in pixels.
        seed: Of the places.
        held_out: From the right third.

    Returns:
        (N, side, side, 3) crops and (N,) labels.

    Raises:
        ValueError: if a photograph is too small.
    """
    rng = torch.Generator().manual_seed(2 * seed + held_out)

    def at_most(limit: int) -> int:
        return int(torch.randint(limit + 1, (1,), generator=rng))

    found, labels = [], []
    for n in range(count):
        label = n % len(photos)
        height, width, _ = photos[label].shape
        cut = 2 * width // 3
        low, high = (cut, width) if held_out else (0, cut)
        if height < side or high - low < side:
            raise ValueError(f"photograph {label} has {height} x {high - low} pixels there, need {side}")
        top, left = at_most(height - side), low + at_most(high - low - side)
        crop = photos[label][top : top + side, left : left + side]
        found.append(crop.flip(1) if at_most(1) else crop)
        labels.append(label)
    return torch.stack(found), torch.tensor(labels)


def photo_codes(
    count: int = 1400, *, codes: int = 256, side: int = 64, patch: int = 4, seed: int = 0
) -> Coded:
    """Crops of photographs as codes of their patches, 16 x 16 for 64 pixels and patches of 4.

    Raises:
        ImportError: as ``photographs``.
    """
    photos = photographs()
    learnt, labels = crops(photos, count, side, seed, held_out=False)
    rest, rest_labels = crops(photos, max(len(photos), count // 20), side, seed, held_out=True)
    vq = PatchVQ(patch, codes).fit(learnt[:: max(1, count // 150)], seed)
    return Coded(vq.encode(learnt), labels, vq.encode(rest), rest_labels, codes, len(photos), vq)
