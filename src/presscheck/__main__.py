"""`python -m presscheck` is `presscheck`."""

from presscheck.cli import main

main()
