"""EvoPress: which blocks, weights or bits of a language model go, found by evolutionary search.

A profile gives each unit of a model a level; the search switches levels of two units at a time, so
the budget stays exact, and selects on more and more calibration text. Depth, unstructured
sparsity and bit widths of Hugging Face decoders; the outcome is saved as a model that loads again.
Source: Sieberling et al., arXiv 2410.14649.
"""

from .export import prune_model, save
from .fitness import KLFitness, divergence
from .levels import LevelDatabase, bit_database, input_norms, layer_errors, sparsity_database
from .scores import allocate, cosine_scores, drop_least, dynamic_programming, greedy, removals, window_cosine
from .search import EvoPress, Result, TableFitness, random_search
from .space import CompressionSpace, Profile
from .units import DepthSpace, LevelSpace, average_level, check_model

__all__ = [
    "CompressionSpace",
    "DepthSpace",
    "EvoPress",
    "KLFitness",
    "LevelDatabase",
    "LevelSpace",
    "Profile",
    "Result",
    "TableFitness",
    "allocate",
    "average_level",
    "bit_database",
    "check_model",
    "cosine_scores",
    "divergence",
    "drop_least",
    "dynamic_programming",
    "greedy",
    "input_norms",
    "layer_errors",
    "prune_model",
    "random_search",
    "removals",
    "save",
    "sparsity_database",
    "window_cosine",
]
