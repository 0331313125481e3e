"""What can become of something that is sent."""

from __future__ import annotations

from presscheck.errors import PresscheckError


class NotKnown(PresscheckError):
    """It may have arrived: the other side had all of it, and did not answer."""
