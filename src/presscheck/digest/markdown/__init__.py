"""Digests as Markdown, in the two formats that readers know: written, and read back.

``write`` prints a digest; ``read`` reads one, ours or anyone's. On all that
``write`` prints the two are inverse. ``labels`` has the printed words,
``inline`` the text between them, ``marks`` the invisible comments that carry
evidence, ``lines`` the kinds of line.
"""
