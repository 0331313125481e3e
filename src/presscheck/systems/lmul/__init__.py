"""L-Mul (arXiv 2410.00907): floating-point products as integer additions of bit patterns."""

from .attention import LMulAttention, LMulLinear, attention_by, linears_by, lmul_matmul
from .energy import energy_report, saving
from .formats import cut_mantissa, paper_l
from .lmul import lmatmul, lmul

__all__ = [
    "LMulAttention",
    "LMulLinear",
    "attention_by",
    "cut_mantissa",
    "energy_report",
    "linears_by",
    "lmatmul",
    "lmul",
    "lmul_matmul",
    "paper_l",
    "saving",
]
