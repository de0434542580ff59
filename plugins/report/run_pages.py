"""Pages of several people's runs from one server: none may run a script of its own, read another run, or send anything out.

A run folder comes from anybody, and so does the page in it. What a page may do is said by the server, in headers; it gets an
origin of its own (`sandbox`), and the only script that runs is the one that this version writes.
"""

from __future__ import annotations

import re
from pathlib import Path

from cbtrun.plugins.report.page import page_script, script_source

HTML = "text/html; charset=utf-8"
NOTHING = "default-src 'none'; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
DEAD = f"{NOTHING}; style-src 'unsafe-inline'; img-src data:; sandbox allow-downloads"
"""Read and follow links: no script, no form, no request, and no jump to another page by itself."""
OWN = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
"""The pages that the server itself makes: they hold a form and no script."""

SHOWN_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
TEXTS = (".csv", ".json", ".md", ".tex", ".txt", ".yaml", ".html", ".htm", ".xml", ".js", ".jsonl")
_POLICY = b'<meta http-equiv="Content-Security-Policy" content="'
_JUMP = re.compile(rb"http-equiv|<(?:base|iframe|frame|object|embed|portal|fencedframe)\b", re.IGNORECASE)
_LINK = re.compile(rb"<link\b", re.IGNORECASE)
_ICON = b'<link rel="icon" href="data:,">'
_CHUNK = re.compile(rb'cbtrunChunk\(\d{1,9},"[A-Za-z0-9+/=]*"\)\n?')


def is_as_written(page: bytes) -> bool:
    """Whether a report holds this version's script, and nothing that leaves the page by itself."""
    jumps = _JUMP.findall(page)
    return (
        page_script().encode() in page
        and len(jumps) == 1
        and _POLICY in page
        and not _LINK.search(page.replace(_ICON, b""))
    )


def readable_page(page: bytes) -> bytes:
    """The page; of one that this version did not write, without the links that a browser follows before it is read."""
    return page if is_as_written(page) else _LINK.sub(b"<x-link", page)


def file_policy(page: bytes, *, beside: bool) -> str:
    """The policy of a run's report. beside: its transcripts stand beside it, in scripts that hold nothing but data."""
    if not is_as_written(page):
        return DEAD
    source = script_source(page_script())
    shown = f"{NOTHING}; style-src 'unsafe-inline'; img-src data:; script-src {source}"
    if not beside:
        return f"{shown}; sandbox allow-scripts allow-downloads allow-modals"
    # Scripts beside a page can be asked for by its own origin alone, so it keeps it; each holds data and no code.
    return f"{shown} 'self'"


def plain_type(file: Path) -> str:
    """The type under which a file that is no page is shown; what cannot be shown safely is saved."""
    if file.suffix.lower() in TEXTS:
        return "text/plain; charset=utf-8"
    return SHOWN_TYPES.get(file.suffix.lower(), "application/octet-stream")


def whole_chunk(script: bytes) -> bool:
    """Whether a script beside a page is transcripts and nothing else."""
    return _CHUNK.fullmatch(script) is not None
