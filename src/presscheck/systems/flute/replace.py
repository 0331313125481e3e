"""Puts packed weights into a model in place of its linear layers, and takes them out again.

Projections that read the same input (query, key and value; gate and up) become one product where the model's
code is known to call them with one tensor: the first computes all and the others hand out their share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from .linear import LUTLinear
from .tables import kmeans, named
from .tensor import LUTTensor, check_shape

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
FUSABLE = ("llama", "mistral", "qwen2", "qwen3", "granite", "olmo2", "gemma", "gemma2")
"""``model_type`` of decoders whose code calls the layers of a row of ``FUSED`` with one tensor."""
FORMAT = "presscheck-flute-1"

Make = Callable[[str, Tensor, "Tensor | None"], nn.Module]
"""Name, (N, K) weight and (N,) bias to the layer that takes their place."""


class _Whole:
    """A product for several layers, and what it gave last."""

    def __init__(self, layer: nn.Module, sizes: Sequence[int]) -> None:
        self.layer, self.sizes = layer, list(sizes)
        self.held: tuple[Tensor, int, tuple[Tensor, ...]] | None = None


def _version(x: Tensor) -> int:
    return -1 if x.is_inference() else x._version


class FusedPart(nn.Module):
    """One of the layers that share a product. The first holds it, as ``whole``."""

    def __init__(self, shared: _Whole, place: int) -> None:
        super().__init__()
        self.place, self.out_features = place, shared.sizes[place]
        self._shared = shared
        if place == 0:
            self.whole = shared.layer

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N of this layer).

        A result is handed on only to the layers that follow with the same tensor, unchanged; whoever comes
        with another one computes anew.
        """
        shared = self._shared
        held = shared.held
        if self.place == 0 or held is None or held[0] is not x or held[1] != _version(x):
            held = (x, _version(x), shared.layer(x).split(shared.sizes, -1))
        # The last one lets go, so that no activations are kept alive.
        shared.held = held if self.place + 1 < len(shared.sizes) else None
        return held[2][self.place]


class Replacement:
    """What took the place of a model's linear layers. Leaving a ``with`` block puts them back."""

    def __init__(
        self, model: nn.Module, replaced: dict[str, nn.Linear], new: dict[str, nn.Module], keep: bool
    ):
        self._model, self._new, self._kept = model, new, keep
        self._old: dict[str, nn.Linear] | None = replaced if keep else None
        self.layers = {name: (layer.out_features, layer.in_features) for name, layer in replaced.items()}
        """Name of each layer replaced → (N, K)."""
        self.dense_nbytes = sum(layer.weight.nbytes for layer in replaced.values())
        """Bytes of the weights that were replaced."""

    @property
    def nbytes(self) -> int:
        """Bytes of all that took their place, biases left out."""
        parts = [
            part for layer in self._new.values() for part in layer.modules() if isinstance(part, LUTLinear)
        ]
        return sum(part.lut.nbytes for part in parts)

    def restore(self) -> None:
        """Put the layers back.

        Raises:
            ValueError: if they were not kept, or something else stands in their place by now.
        """
        if self._old is None:
            raise ValueError(
                "the layers were put back already" if self._kept
                else "the layers were not kept: replace_linears(..., keep=True) keeps them"
            )  # fmt: skip
        for name, layer in self._new.items():
            if self._model.get_submodule(name) is not layer:
                raise ValueError(f"{name} is not the layer that was put there: restore in the opposite order")
        for name, old in self._old.items():
            _put(self._model, name, old)
        self._old = None

    def __enter__(self) -> Replacement:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._old is not None:
            self.restore()


def replace_linears(
    model: nn.Module,
    bits: int = 4,
    group: int = 64,
    table: str | Tensor = "nf",
    *,
    skip: Iterable[str] = ("lm_head",),
    fuse: bool = True,
    keep: bool = True,
) -> Replacement:
    """Let a model's linear layers run from packed weights.

    All weights are packed before the first layer is replaced; if one cannot be, the model stays as it is.

    Args:
        model: Any module with ``nn.Linear`` layers, as a causal language model of ``transformers``.
        bits: 2, 3 or 4.
        group: Columns that share a scale.
        table: ``nf``, ``int``, ``fp4``, ``kmeans`` (a table for each product), or 2^bits values.
        skip: Names of layers to leave, whole (``model.layers.0.*``) or their last part (``lm_head``).
        fuse: Whether query, key and value, and gate and up, become one product where the model allows it.
        keep: Whether the old layers are kept, to be put back; else their memory is freed.

    Returns:
        The handle; as a context manager it restores the model.

    Raises:
        ValueError: if a layer's shape does not fit, a weight is not finite, or there is nothing to replace.
    """
    fixed = None if isinstance(table, str) and table == "kmeans" else table
    values = named(fixed, bits) if isinstance(fixed, str) else fixed
    if values is not None and values.shape != (1 << bits,):
        raise ValueError(f"a table of {bits} bits has {1 << bits} values, got {tuple(values.shape)}")

    def make(name: str, weight: Tensor, bias: Tensor | None) -> nn.Module:
        try:
            chosen = kmeans(weight, bits, group) if values is None else values
            return LUTLinear(LUTTensor.quantize(weight, chosen, group), bias)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    for name, layer in linear_layers(model, skip).items():
        try:
            check_shape(layer.out_features, layer.in_features, bits, group)
        except ValueError as error:
            raise ValueError(f"{_title(model)}: {name}: {error}; or name it in `skip`") from error
    return swap_linears(model, make, skip=skip, fuse=fuse, keep=keep)


def swap_linears(
    model: nn.Module, make: Make, *, skip: Iterable[str] = ("lm_head",), fuse: bool = True, keep: bool = True
) -> Replacement:
    """Replace linear layers by whatever `make` gives for their weights, fused ones stacked.

    Raises:
        ValueError: if there is nothing to replace, or a layer is of a kind that cannot be.
    """
    layers = linear_layers(model, skip)
    new: dict[str, nn.Module] = {}
    for names in _products(model, layers, fuse):
        parts = [layers[name] for name in names]
        weight = parts[0].weight if len(parts) == 1 else torch.cat([part.weight for part in parts])
        bias = None if parts[0].bias is None else torch.cat([part.bias for part in parts])
        made = make(names[0], weight.detach(), bias)
        made.train(parts[0].training)
        if len(parts) == 1:
            new[names[0]] = made
            continue
        shared = _Whole(made, [part.out_features for part in parts])
        new.update({name: FusedPart(shared, place) for place, name in enumerate(names)})
    for name, layer in new.items():
        _put(model, name, layer)
    return Replacement(model, layers, new, keep)


def linear_layers(model: nn.Module, skip: Iterable[str] = ("lm_head",)) -> dict[str, nn.Linear]:
    """The layers that would be replaced, by name.

    Raises:
        TypeError: if `model` is no module.
        ValueError: if there are none, or one is of a kind that cannot be replaced.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"need a torch module, got {type(model).__name__}")
    patterns = [skip] if isinstance(skip, str) else list(skip)
    found: dict[str, nn.Linear] = {}
    for name, layer in model.named_modules():
        if any(fnmatch(name, one) or fnmatch(name.rpartition(".")[2], one) for one in patterns):
            continue
        if isinstance(layer, (LUTLinear, FusedPart)):
            raise ValueError(f"{_title(model)}: {name} has a packed weight already: restore it first")
        if isinstance(layer, nn.MultiheadAttention):
            raise ValueError(f"{_title(model)}: {name} is nn.MultiheadAttention, which reads weights past "
                             "its layers; name it and its parts in `skip`")  # fmt: skip
        if type(layer) is nn.Linear:
            found[name] = layer
        elif isinstance(layer, nn.Linear):
            raise ValueError(f"{_title(model)}: {name} is a {type(layer).__name__}, not a plain nn.Linear; "
                             "name it in `skip`")  # fmt: skip
    if not found:
        raise ValueError(f"{_title(model)} has no nn.Linear to replace")
    return found


def save_packed(model: nn.Module, path: str | Path) -> None:
    """Write the packed weights of a model to one safetensors file, each layer under its own name.

    Raises:
        ValueError: if the model has none.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    about: dict[str, list[int]] = {}
    for name, layer in model.named_modules():
        if isinstance(layer, FusedPart):
            whole, sizes = layer._shared.layer, layer._shared.sizes
            first = sum(sizes[: layer.place])
            last = first + sizes[layer.place]
        elif isinstance(layer, LUTLinear) and not name.endswith(".whole"):
            whole, first, last = layer, 0, layer.out_features
        else:
            continue
        if not isinstance(whole, LUTLinear):
            raise ValueError(f"{name} holds no packed weight but a {type(whole).__name__}")
        about[name] = [whole.bits, whole.group]
        rows = whole.lut.rows(first, last)
        for part in ("packed", "table", "scales"):
            tensors[f"{name}.{part}"] = getattr(rows, part).detach().clone()
        if whole.bias is not None:
            tensors[f"{name}.bias"] = whole.bias.detach()[first:last].clone()
    if not about:
        raise ValueError(f"{_title(model)} has no packed weights to save")
    save_file(tensors, str(path), {"format": FORMAT, "layers": json.dumps(about)})


def load_packed(model: nn.Module, path: str | Path, *, fuse: bool = True, keep: bool = False) -> Replacement:
    """Put the packed weights of a file into a model of the same architecture.

    Args:
        model: Its other weights (embeddings, norms) are its own.
        path: What ``save_packed`` wrote.
        fuse: As in ``replace_linears``; weights that were made with unlike tables stay apart.
        keep: Whether the model's own layers can be put back.

    Raises:
        ValueError: if the file is another one, or does not fit the model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT:
                raise ValueError(f"{path} holds no packed weights of this format ({FORMAT})")
            widths: dict[str, list[int]] = json.loads(about["layers"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no file of packed weights: {error}") from error
    linears = {name: layer for name, layer in model.named_modules() if type(layer) is nn.Linear}
    weights: dict[str, tuple[LUTTensor, Tensor | None]] = {}
    for name, (bits, group) in widths.items():
        if name not in linears:
            raise ValueError(f"{_title(model)} has no linear layer {name}, which {path} has weights for")
        try:
            packed, table, scales = (tensors[f"{name}.{part}"] for part in ("packed", "table", "scales"))
            lut = LUTTensor(packed, table, scales, bits, group)
        except KeyError as error:
            raise ValueError(f"{path} lacks {error.args[0]}") from error
        if lut.shape != tuple(linears[name].weight.shape):
            raise ValueError(f"{name} is {tuple(linears[name].weight.shape)}, {path} has {lut.shape}")
        weights[name] = lut.to(linears[name].weight.device), tensors.get(f"{name}.bias")
    return install(model, weights, fuse=fuse, keep=keep)


def install(
    model: nn.Module,
    weights: dict[str, tuple[LUTTensor, Tensor | None]],
    *,
    fuse: bool = True,
    keep: bool = True,
) -> Replacement:
    """Put packed weights that are there already in place of the layers of those names."""
    layers = {
        name: layer for name, layer in model.named_modules() if name in weights and type(layer) is nn.Linear
    }
    new: dict[str, nn.Module] = {}
    for names in _products(model, layers, fuse):
        parts = [weights[name] for name in names]
        try:
            lut = LUTTensor.cat([part[0] for part in parts])
        except ValueError:  # tables of their own
            new.update({name: LUTLinear(*weights[name]) for name in names})
            continue
        biases = [part[1] for part in parts]
        bias = torch.cat([one for one in biases if one is not None]) if biases[0] is not None else None
        if len(parts) == 1:
            new[names[0]] = LUTLinear(lut, bias)
            continue
        shared = _Whole(LUTLinear(lut, bias), [part[0].shape[0] for part in parts])
        new.update({name: FusedPart(shared, place) for place, name in enumerate(names)})
    for name, layer in new.items():
        layer.train(layers[name].training)
        _put(model, name, layer)
    return Replacement(model, layers, new, keep)


def _products(model: nn.Module, layers: dict[str, nn.Linear], fuse: bool) -> list[list[str]]:
    """The layers in their order, those together that one product can serve."""
    kind = getattr(getattr(model, "config", None), "model_type", None)
    done: set[str] = set()
    products: list[list[str]] = []
    for name in layers:
        if name in done:
            continue
        parent, _, last = name.rpartition(".")
        together = [name]
        for row in FUSED if fuse and kind in FUSABLE else ():
            names = [f"{parent}.{one}" for one in row]
            if last == row[0] and all(one in layers for one in names) and _alike([layers[n] for n in names]):
                together = names
        done.update(together)
        products.append(together)
    return products


def _alike(layers: list[nn.Linear]) -> bool:
    first = layers[0]
    return all(
        layer.in_features == first.in_features and (layer.bias is None) == (first.bias is None)
        and layer.weight.device == first.weight.device
        for layer in layers
    )  # fmt: skip


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)


def _title(model: Any) -> str:
    kind = getattr(getattr(model, "config", None), "model_type", None)
    return f"{type(model).__name__} ({kind})" if kind else type(model).__name__
