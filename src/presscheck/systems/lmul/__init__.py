"""L-Mul (arXiv 2410.00907): floating-point products as integer additions of bit patterns."""

from .formats import cut_mantissa, paper_l
from .lmul import lmatmul, lmul

__all__ = ["cut_mantissa", "lmatmul", "lmul", "paper_l"]
