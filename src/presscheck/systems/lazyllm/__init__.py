"""LazyLLM: deeper layers read only the prompt tokens that the last token attends to.

``with lazyllm(model, keep=[(15, 0.8), (20, 0.6)]) as cache`` lets a Llama-like model of
Hugging Face's generate over a prompt that fewer tokens of each layer are computed for; a token
left out at one step can come back at the next. Source: Fu et al., arXiv 2407.14057.
"""

from .attach import check_model, lazyllm
from .schedule import PruneSchedule
from .state import LazyCache, token_importance

__all__ = ["LazyCache", "PruneSchedule", "check_model", "lazyllm", "token_importance"]
