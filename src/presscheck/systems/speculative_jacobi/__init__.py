"""Speculative Jacobi decoding: a window of drafts is judged in one forward pass, and nothing is lost.

``SpeculativeJacobiSampler`` draws from any autoregressive model given as a function of logits, in fewer
passes than tokens, with no draft model and from the model's own distribution; ``from_causal_lm`` makes such a
function of a model of Hugging Face's, ``generate`` plugs into its ``model.generate``. Source: Teng et
al., arXiv 2410.01699.
"""

from .adapter import check_model, from_causal_lm
from .criterion import accept_prefix, residual
from .filters import Chain, Rows, only, temperature, top_k
from .hub import generate
from .initial import Window
from .sampler import Pass, SJDOutput, SpeculativeJacobiSampler, from_logits

__all__ = [
    "Chain",
    "Pass",
    "Rows",
    "SJDOutput",
    "SpeculativeJacobiSampler",
    "Window",
    "accept_prefix",
    "check_model",
    "from_causal_lm",
    "from_logits",
    "generate",
    "only",
    "residual",
    "temperature",
    "top_k",
]
