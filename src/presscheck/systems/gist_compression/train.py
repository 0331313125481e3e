"""``python -m presscheck.systems.gist_compression.train``: a gist model in a folder.

Without ``--model``, an arm of the experiment, made again as a round made it. With ``--model``, a
model of your own goes on from where it is, over a text of your own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .config import GistConfig
from .model import GistCausalLM
from .tasks import Rows
from .training import importance_of, train


def main(arguments: list[str] | None = None) -> int:
    """Train, write, and say what was measured.

    Returns:
        0; 2 if what is asked for cannot be done, with the reason on standard error.
    """
    parser = argparse.ArgumentParser(
        prog="python -m presscheck.systems.gist_compression.train", description=__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="folder that is written; it must not exist")
    own = parser.add_argument_group("an arm of the experiment")
    own.add_argument("--arm", default="fine-kv-4")
    own.add_argument("--size", default="quick", choices=("smoke", "quick", "full"))
    own.add_argument("--seed", type=int, default=0, help="which training")
    yours = parser.add_argument_group("a model of your own")
    yours.add_argument("--model", help="folder or hub name of a causal language model")
    yours.add_argument("--text", type=Path, help="UTF-8 file to train on")
    yours.add_argument("--ratio", type=int, default=4)
    yours.add_argument("--segment", type=int, default=256)
    yours.add_argument("--segments", type=int, default=4, help="segments of a row")
    yours.add_argument("--granularity", default="fine", choices=("fine", "coarse"))
    yours.add_argument("--memory", default="kv", choices=("kv", "recurrent"))
    yours.add_argument("--ae-weight", type=float, default=0.0)
    yours.add_argument("--tie-alpha", type=float, default=0.0)
    yours.add_argument("--steps", type=int, default=200)
    yours.add_argument("--batch", type=int, default=4)
    yours.add_argument("--rate", type=float, default=1e-4)
    yours.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    try:
        if options.out.exists():
            raise ValueError(f"{options.out} exists: name a folder that does not")
        lm = _yours(options) if options.model else _ours(options)
        lm.save(options.out)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    size = sum(path.stat().st_size for path in options.out.iterdir())
    sys.stdout.write(f"{options.out}: {size:,} bytes\n")
    return 0


def _ours(options: argparse.Namespace) -> GistCausalLM:
    from . import experiment, probes

    size = experiment.SIZES[options.size]
    gists = [arm for arm in size.arms if arm.partition("-")[0] in ("fine", "coarse")]
    if options.arm not in gists:
        raise ValueError(f"{options.arm} is no gist model of this size: it has {', '.join(gists)}")
    lm = experiment.gist_model(size, options.seed, options.arm)
    rows = experiment.held_out(size, options.seed)
    recall = probes.recall_probe(lambda ids: lm(ids).logits, rows.ids, rows.asked)
    sys.stdout.write(f"{options.arm}: recall {recall:.3f}\n")
    return lm


def _yours(options: argparse.Namespace) -> GistCausalLM:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if options.text is None:
        raise ValueError("--model needs --text, a file to train on")
    config = GistConfig(
        ratio=options.ratio, segment_len=options.segment, granularity=options.granularity,
        memory=options.memory, ae_weight=options.ae_weight, tie_alpha=options.tie_alpha,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).to(options.device)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    text = options.text.read_text("utf-8")
    ids = tokenizer(text, return_tensors="pt", verbose=False).input_ids[0].to(options.device)
    lm = train_on_text(model, ids, config, options)
    tokenizer.save_pretrained(options.out)
    return lm


def train_on_text(model: Any, ids: Tensor, config: GistConfig, options: Any) -> GistCausalLM:
    """Go on training a model over the tokens of a text.

    Args:
        model: Of ``transformers``; it is changed.
        ids: (N,) tokens.
        config: Of the gists; with ``tie_alpha`` a copy of the model as it is now weighs the tokens.
        options: ``segments``, ``steps``, ``batch`` and ``rate``.

    Raises:
        ValueError: if the text is shorter than a row, or the model does not fit.
    """
    import copy

    tokens = config.segment_len * options.segments
    if len(ids) <= tokens:
        raise ValueError(
            f"the text has {len(ids)} tokens, need more than {tokens}: a row of {options.segments} segments"
        )
    lm = GistCausalLM(model, config)
    frozen = copy.deepcopy(model).eval() if config.tie_alpha else None
    draw = torch.Generator().manual_seed(0)

    def rows() -> Iterator[Rows]:
        for _ in range(options.steps):
            starts = torch.randint(len(ids) - tokens, (options.batch, 1), generator=draw)
            row = ids[(starts + torch.arange(tokens)).to(ids.device)]
            none = torch.zeros_like(row, dtype=torch.bool)
            yield Rows(row, row, none, none, none)

    def loss_of(step: int, batch: Rows) -> Tensor:
        weights = None if frozen is None else importance_of(frozen, config, batch)
        loss = lm(batch.ids, batch.labels, weights).loss
        if step % 20 == 0:
            sys.stderr.write(f"step {step}: loss {loss.item():.3f}\n")
        return loss

    lm.train()
    last = train(
        list(lm.parameters()), loss_of, rows(), steps=options.steps, learning_rate=options.rate, warmup=10
    )
    sys.stdout.write(f"loss of the last steps: {last:.3f}\n")
    return lm.eval()


if __name__ == "__main__":
    sys.exit(main())
