"""A profile made permanent: a model of its own, saved so that ``transformers`` loads it again.

Dropped blocks are really gone, with layers and cache indices renumbered. A half block cannot
go from a model of these types, so the output projection of a dropped half is zero, which computes
the same. Weights of fewer bits or with zeros are stored expanded: the file says what the
model computes, not how small it could be packed.
"""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from .space import Profile
from .units import SUBBLOCKS, DepthSpace, ModelSpace, chosen

RECORD = "evopress.json"
"""Beside the weights: unit → level."""
OUTPUTS = {"self_attn": "o_proj", "mlp": "down_proj"}


@torch.no_grad()
def prune_model(space: ModelSpace, profile: Profile) -> Any:
    """A new model that computes what the space's model does under a profile; the old one stays.

    Raises:
        ValueError: if the profile is not feasible, or no block would be left.
    """
    profile = space.check(profile)
    if not isinstance(space, DepthSpace):
        with space.apply(profile):
            return copy.deepcopy(space.model)
    model = space.model
    settings = [space.setting(profile, block) for block in range(len(space.blocks))]
    stay = [block for block, setting in enumerate(settings) if not space.skips(block, setting)]
    if not stay:
        raise ValueError(f"the profile drops every block of {type(model).__name__}: no model is left")
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = len(stay)
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[block] for block in stay]
    if getattr(config, "max_window_layers", None) is not None:
        config.max_window_layers = min(config.max_window_layers, len(stay))
    # Built without the blocks that go, so that peak memory is what two models need and no more.
    weights = {}
    for name, tensor in model.state_dict().items():
        if not name.startswith("model.layers."):
            weights[name] = tensor
            continue
        block, rest = name.removeprefix("model.layers.").split(".", 1)
        if int(block) in stay:
            weights[f"model.layers.{stay.index(int(block))}.{rest}"] = tensor
    smaller = type(model)(config).to(device=model.device, dtype=model.dtype)
    smaller.load_state_dict(weights)
    smaller.generation_config = copy.deepcopy(model.generation_config)
    for place, block in enumerate(stay):
        for sub, stays in zip(SUBBLOCKS, space.kept(settings[block]), strict=True):
            if not stays:
                output = getattr(getattr(smaller.model.layers[place], sub), OUTPUTS[sub])
                for tensor in output.parameters():
                    tensor.zero_()
    return smaller.eval()


def save(space: ModelSpace, profile: Profile, folder: str | Path, tokenizer: Any = None) -> Path:
    """Write the model under a profile as safetensors, whole or not at all.

    Args:
        space: Over the model.
        profile: What to do to it.
        folder: Where; must not exist.
        tokenizer: Saved beside it if given.

    Returns:
        The folder, for ``AutoModelForCausalLM.from_pretrained``.

    Raises:
        FileExistsError: if the folder exists.
        ValueError: as ``prune_model``.
    """
    target = Path(folder)
    if target.exists():
        raise FileExistsError(f"{target} exists; a compressed model is written to a folder of its own")
    smaller = prune_model(space, profile)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary:
        part = Path(temporary) / target.name
        smaller.save_pretrained(part)
        if tokenizer is not None:
            tokenizer.save_pretrained(part)
        text = json.dumps({"units": chosen(space, profile)}, indent=1)
        (part / RECORD).write_text(text + "\n", encoding="utf-8")
        part.rename(target)
    return target
