"""What the methods cite, as BibTeX: read from the references as they are printed, so that both say the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

_REFERENCE = re.compile(
    r"\A(?P<authors>[^()]+) \((?P<year>\d{4})[a-z]?\)\. (?P<title>(?:[^.?!]|[.?!](?! ))+[.?!])(?: (?P<rest>.+))?",
    re.DOTALL,
)
_NEXT_AUTHOR = re.compile(r",? & |(?<=\.), (?=[^,]+, [A-Z])")
_SPECIAL = {
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "\\": r"\textbackslash{}",
}


def software_reference(version: str) -> str:
    """How cbtrun itself is cited (CITATION.cff says the same)."""
    told = f" (version {version})" if version else ""
    return f"The cbtrun authors (2026). cbtrun: one YAML file is one study of language-model therapists{told}. Computer software, Apache-2.0."


def bibtex(references: Sequence[str]) -> str:
    """An entry for each reference; one that is no plain reference keeps its words in `note`."""
    keys: dict[str, int] = {}
    return "\n\n".join(_entry(one, keys) for one in references) + ("\n" if references else "")


def _entry(reference: str, keys: dict[str, int]) -> str:
    found = _REFERENCE.fullmatch(" ".join(reference.split()))
    if found is None:
        return _written("misc", _key("reference", keys), {"note": reference})
    authors = " and ".join(_NEXT_AUTHOR.split(found["authors"].replace(", et al.", " and others")))
    first = re.sub(r"[^A-Za-z]", "", found["authors"].split(",")[0]) or "reference"
    fields = {"author": f"{{{authors}}}" if authors.startswith("The ") else authors, "year": found["year"]}
    fields |= {"title": found["title"].rstrip("."), "note": (found["rest"] or "").rstrip(".")}
    return _written("misc", _key(f"{first.lower()}{found['year']}", keys), fields)


def _written(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [
        f"  {name} = {{{value if name == 'author' else _latex(value)}}}" for name, value in fields.items() if value
    ]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _key(wanted: str, keys: dict[str, int]) -> str:
    keys[wanted] = keys.get(wanted, 0) + 1
    return wanted if keys[wanted] == 1 else f"{wanted}{chr(ord('a') + keys[wanted] - 1)}"


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in text)
