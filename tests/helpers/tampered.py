"""A package with one file changed, its list of digests made to fit, as somebody would who means to deceive."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

MANIFEST = "manifest-sha256.txt"


def tampered(
    package: Path, target: Path, changes: Mapping[str, Callable[[bytes], bytes | None]], *, listed: bool = True
) -> Path:
    """The package with changed members; none takes one away. listed: the list of digests is made anew."""
    with zipfile.ZipFile(package) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    for name, change in changes.items():
        new = change(members.get(name, b""))
        if new is None:
            del members[name]
        else:
            assert new != members.get(name), f"nothing was changed in {name}"
            members[name] = new
    if listed:
        lines = [
            f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(members.items()) if name != MANIFEST
        ]
        members[MANIFEST] = "".join(lines).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target
