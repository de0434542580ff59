"""Words that follow from the secret of a sheet: nothing that raters see may follow from the study's file or seed."""

from __future__ import annotations

import hmac


def token(secret: str, what: str) -> str:
    """A word that nobody without the secret can make, 128 bits in hexadecimal digits."""
    return hmac.new(secret.encode(), what.encode(), "sha256").hexdigest()[:32]
