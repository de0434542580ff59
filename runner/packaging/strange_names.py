"""Names of files that not every disk can hold as they are: in a package of anybody they are refused, and nobody writes one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

LONGEST_NAME, LONGEST_PART, DEEPEST = 240, 200, 20
"""Signs of a path, bytes of one of its parts, and how many of those."""
NOT_SEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Signs that nobody sees, or that turn the direction of writing."""
RESERVED = re.compile(r'[<>:"|?*\\]')
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever the ending."""


def odd_names(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(name, what is odd about it) of names in one archive."""
    seen: dict[str, str] = {}
    known = [*names]
    for name in known:
        if why := _odd(name):
            yield name, why
        plain = unicodedata.normalize("NFC", name).casefold()
        if plain in seen:
            yield name, f"is the name of {seen[plain][:80]!r} too, where letters differ in case or spelling alone"
        seen[plain] = name
    above = {parent.as_posix() for plain in seen for parent in PurePosixPath(plain).parents}
    yield from ((seen[plain], "is a file and a folder") for plain in seen if plain in above)


def _odd(name: str) -> str:
    parts = name.split("/")
    if not name or len(name) > LONGEST_NAME or len(parts) > DEEPEST or any(len(one.encode("utf-8", "replace")) > LONGEST_PART for one in parts):  # fmt: skip
        return "has a name that no package has: it is too long or too deep"
    if any(unicodedata.category(sign) in NOT_SEEN for sign in name):
        return "has a name that no package has: signs that nobody sees"
    if RESERVED.search(name) or any(one in ("", ".", "..") or one != one.strip() or one.endswith(".") for one in parts):
        return "has a name that not every disk can hold"
    if any(DEVICES.fullmatch(one) for one in parts):
        return "has the name of a device of Windows"
    return ""
