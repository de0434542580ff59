"""A seeded generator of broken specs, rows, replies, journals, run folders and exports, and the program that tries them.

`python -m tests.fuzz --seconds 3600` tries new ones for an hour; `--cases` and `--seed` name a sample that is the same
everywhere. A traceback, exit 1, an escape sequence on the terminal, 10 s of work or 1 GiB of memory is a finding.
"""
