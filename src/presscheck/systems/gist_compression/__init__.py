"""Gist tokens: each segment of a context is left as a few learned tokens that carry it.

``GistCausalLM(model, GistConfig(ratio=4, segment_len=2048))`` wraps a Llama-like model of Hugging Face's:
trained with it, the model reads long contexts over a cache that holds gists in place of raw
tokens. Coarse or fine, with keys and values or hidden states as memory, with fine-grained autoencoding
and token importance in the loss. Source: Deng et al., arXiv 2412.17483.
"""

from .autoencoding import WeakDecoder, fit_decoder
from .cache import GistCache
from .config import GistConfig
from .importance import context_gap, token_importance
from .layout import gist_attention_mask, gist_mask_mod, insert_gists, layout
from .model import GistCausalLM, GistOutput, check_model, next_token_loss

__all__ = [
    "GistCache",
    "GistCausalLM",
    "GistConfig",
    "GistOutput",
    "WeakDecoder",
    "check_model",
    "context_gap",
    "fit_decoder",
    "gist_attention_mask",
    "gist_mask_mod",
    "insert_gists",
    "layout",
    "next_token_loss",
    "token_importance",
]
