"""README.md as a package index shows it: links that lead somewhere in the repository lead there from anywhere.

All else of the package is in pyproject.toml.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).resolve().parent
LINK = re.compile(r"(!?)(\[(?:[^\[\]]|\[[^\]]*\])*\])\((?![a-z]+:|#)([^)\s]+)\)")
"""A link in Markdown whose target is no address and no place of the same page."""


def long_description() -> str:
    """README.md with absolute links: to the files of this version at the source's address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = re.search(r'"([^"]+)"', (ROOT / "runner/version.py").read_text(encoding="utf-8"))
    assert version is not None
    source, tag = project["urls"]["Source"], f"v{version[1]}"

    def absolute(link: re.Match[str]) -> str:
        picture, words, target = link.groups()
        return f"{picture}{words}({source}/{'raw' if picture else 'blob'}/{tag}/{target})"

    return LINK.sub(absolute, (ROOT / "README.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    setup(long_description=long_description(), long_description_content_type="text/markdown")
