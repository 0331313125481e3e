"""What a gist model is made of: how much is compressed, where gists stand, what is kept.

Reference: Deng et al., arXiv 2412.17483, sections 2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GistConfig:
    """How a context is compressed into gists.

    Attributes:
        ratio: Raw tokens that one gist stands for, r.
        segment_len: Raw tokens of a segment, L; raw keys and values live no longer than their segment.
        granularity: ``fine``: a gist after every r raw tokens; ``coarse``: all L / r of them behind
            the segment.
        memory: ``kv``: keys and values of the gists are kept at every layer; ``recurrent``: their
            last hidden states are, as input embeddings in front of the segments that follow.
        gist_init: The gist embedding at first: ``mean`` of the model's input embeddings, ``random``
            at their spread, or the id of a token whose embedding it copies.
        positions: ``own``: gists take places of their own in the sequence; ``shared``: a gist takes
            the place of the last raw token that it stands for, and raw tokens keep theirs.
        ae_weight: Weight of the autoencoding loss; 0 for none.
        tie_alpha: How strongly tokens that need the compressed context weigh more; 0 for not at all.

    Raises:
        ValueError: naming the setting that is out of range.
    """

    ratio: int = 4
    segment_len: int = 2048
    granularity: str = "fine"
    memory: str = "kv"
    gist_init: str | int = "mean"
    positions: str = "own"
    ae_weight: float = 0.0
    tie_alpha: float = 0.0

    def __post_init__(self) -> None:
        if self.ratio < 1:
            raise ValueError(
                f"ratio must be at least 1, got {self.ratio}: raw tokens that one gist stands for"
            )
        if self.segment_len < self.ratio or self.segment_len % self.ratio:
            raise ValueError(
                f"segment_len must be a multiple of ratio, got {self.segment_len} and {self.ratio}: "
                "a segment is left as segment_len / ratio gists"
            )
        for name, choices in (
            ("granularity", ("fine", "coarse")),
            ("memory", ("kv", "recurrent")),
            ("positions", ("own", "shared")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be {' or '.join(choices)}, got {getattr(self, name)!r}")
        if self.memory == "recurrent" and self.granularity == "fine":
            raise ValueError(
                "recurrent memory needs granularity coarse, got fine: a fine gist would have to be read "
                "back as an input before the next r tokens, one pass for every gist"
            )
        if self.memory == "recurrent" and self.positions == "shared":
            raise ValueError(
                "recurrent memory needs positions own, got shared: its gists stand in front of the next "
                "segment, not at the place of their tokens"
            )
        if isinstance(self.gist_init, str) and self.gist_init not in ("mean", "random"):
            raise ValueError(f"gist_init must be mean, random or a token id, got {self.gist_init!r}")
        if not isinstance(self.gist_init, str) and self.gist_init < 0:
            raise ValueError(f"gist_init must be mean, random or a token id, got {self.gist_init}")
        for name in ("ae_weight", "tie_alpha"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    @property
    def gists(self) -> int:
        """Gists of a whole segment, t = L / r."""
        return self.segment_len // self.ratio
