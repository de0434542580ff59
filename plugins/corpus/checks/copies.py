"""Which transcripts say nearly the same as an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cbtrun.plugin import Transcript

WORDS = 5
"""Words of a shingle."""
PERMUTATIONS = 128
"""Of MinHash: an estimate of Jaccard similarity is off by about 1 / sqrt(128) = 0.09 at worst (Broder 1997)."""


def copies(transcripts: Iterable[Transcript], similarity: float) -> Iterator[tuple[str, str]]:
    """(id, id of the earlier one) for each transcript whose shingles are so similar to those of one before it."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    kept: dict[str, MinHash] = {}
    for transcript in transcripts:
        hashed = MinHash(num_perm=PERMUTATIONS, seed=1)
        hashed.update_batch(sorted(shingles(transcript)))
        near = [one for one in index.query(hashed) if kept[one].jaccard(hashed) >= similarity]
        if near:
            yield transcript.id, min(near, key=list(kept).index)
            continue
        kept[transcript.id] = hashed
        index.insert(transcript.id, hashed)


def shingles(transcript: Transcript) -> set[bytes]:
    """Every run of five words of what is said, whoever says it; a shorter text is one shingle."""
    text = " ".join(message.content for message in transcript.messages if message.role != "system")
    words = re.findall(r"\w+", text.lower())
    runs = max(1, len(words) - WORDS + 1)
    return {" ".join(words[at : at + WORDS]).encode() for at in range(runs)}
