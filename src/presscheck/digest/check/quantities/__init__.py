"""Quantities: what a text counts and measures, in Korean and English."""

from presscheck.digest.check.quantities.quantity import Quantity, quantities, scan
from presscheck.digest.check.quantities.render import render_en, render_ko

__all__ = ["Quantity", "quantities", "render_en", "render_ko", "scan"]
