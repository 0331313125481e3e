"""ThinK: a key-value cache whose old keys keep only the channels that recent queries use.

``with think(model, key_ratio=0.5) as cache`` lets a Llama-like model of Hugging Face's
generate over a cache that is really smaller, alone or with SnapKV or H2O choosing tokens and
with KIVI's two-bit storage of what remains. Source: Xu et al., arXiv 2407.21018.
"""

from .attach import check_model, think
from .cache import ThinKCache, ThinKLayer
from .channels import ThinKConfig, channel_scores, select_channels

__all__ = [
    "ThinKCache",
    "ThinKConfig",
    "ThinKLayer",
    "channel_scores",
    "check_model",
    "select_channels",
    "think",
]
