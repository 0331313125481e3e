"""Fuzz target: any bytes are a digest or an error, and what was read can be printed.

By hand, with atheris installed: ``python tests/fuzz/fuzz_digest.py CORPUS_FOLDER``.
The suite runs the same function on what hypothesis makes.
"""

from __future__ import annotations

import sys

from presscheck.digest.files import read_digests
from presscheck.digest.markdown.read import read_markdown
from presscheck.digest.markdown.write import as_printed, to_markdown
from presscheck.errors import BadInput


def read_any_bytes(data: bytes) -> bool:
    """Read bytes as a digest file, and print and read again what came of it.

    Returns:
        Whether it was a digest.
    """
    try:
        digests = read_digests(data, name="fuzz")
    except BadInput:
        return False
    for digest in digests:
        try:
            printed = to_markdown(digest)
        except BadInput as error:
            # A reader keeps any address; printed are only those that are safe to follow.
            # What JSON says is held to the rules of print only when it is printed.
            assert "address" in error.message or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"), error
        else:
            assert read_markdown(printed) == as_printed(digest)
    return True


if __name__ == "__main__":
    import atheris

    def target(data: bytes) -> None:
        """Drop the answer: the fuzzer knows only "no exception"."""
        read_any_bytes(data)

    atheris.instrument_all()
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
