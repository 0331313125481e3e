"""What ``benchmarks/check.py`` measures, one subject a module."""
