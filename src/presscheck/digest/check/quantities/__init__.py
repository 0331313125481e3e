"""Quantities: what a text counts and measures, in Korean and English."""

from presscheck.digest.check.quantities.quantity import Quantity
from presscheck.digest.check.quantities.render import render_en, render_ko
from presscheck.digest.check.quantities.scan import quantities, scan

__all__ = ["Quantity", "quantities", "render_en", "render_ko", "scan"]
