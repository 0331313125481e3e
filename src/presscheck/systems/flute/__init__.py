"""FLUTE: matrix products with weights of 2, 3 or 4 bits that are looked up in a table of any values.

``replace_linears(model)`` lets any model of Hugging Face's run its linear layers from packed weights, on an
AVX-512 kernel that is compiled on first use, on a Triton kernel, or on plain torch, which defines the result.
Source: Guo et al., arXiv 2407.10960.
"""

from .learn import learn_scales
from .linear import LUTLinear, lut_linear, which_path
from .replace import load_packed, replace_linears, save_packed
from .tables import fp4, kmeans, nf, uniform
from .tensor import LUTTensor, pack, packed_bytes, unpack

__all__ = [
    "LUTLinear",
    "LUTTensor",
    "fp4",
    "kmeans",
    "learn_scales",
    "load_packed",
    "lut_linear",
    "nf",
    "pack",
    "packed_bytes",
    "replace_linears",
    "save_packed",
    "uniform",
    "unpack",
    "which_path",
]
