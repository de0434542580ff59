"""Sessions with their ratings, packed so that a page of a thousand opens at once and unpacks what is looked at."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbtrun.plugin import ItemScore, Rating, Session, reason_kind, write_atomically
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.people import people_facts
from cbtrun.plugins.report.plain_text import plain

CHUNK_CHARACTERS = 400_000
"""A chunk is closed once it holds as much: unpacking one takes milliseconds."""
FOLDER = "report_transcripts"


@dataclass(frozen=True)
class Pack:
    """All sessions in compressed chunks."""

    chunks: tuple[str, ...]
    """Base64 of gzipped JSON: session id -> session."""
    chunk_of: Mapping[str, int]
    """Session id -> its chunk."""
    people: int = 0
    """The chunk of persona cards and prompts."""

    @property
    def characters(self) -> int:
        """How much they add to a page."""
        return sum(len(chunk) for chunk in self.chunks)


def pack_sessions(given: ReportInput) -> Pack:
    """Every session with its ratings, without its words where they must not be shown."""
    by_session: dict[str, list[tuple[str, Rating]]] = {}
    for name, rated in given.rated.items():
        for rating in rated.ratings:
            by_session.setdefault(rating.session, []).append((name, rating))
    chunks: list[str] = []
    chunk_of: dict[str, int] = {}
    for batch in _batches(given, by_session):
        chunk_of.update(dict.fromkeys(batch, len(chunks)))
        body = "{" + ",".join(f"{json.dumps(id_)}:{content}" for id_, content in batch.items()) + "}"
        chunks.append(_packed(body))
    people = json.dumps(people_facts(given), ensure_ascii=False, separators=(",", ":"))
    return Pack((*chunks, _packed(people)), chunk_of, len(chunks))


def _packed(body: str) -> str:
    return base64.b64encode(gzip.compress(body.encode(), compresslevel=9, mtime=0)).decode()


def write_chunks(pack: Pack, folder: Path) -> list[Path]:
    """Write chunks beside the page, as scripts: a page opened from disk may load those and nothing else."""
    (folder / FOLDER).mkdir(exist_ok=True)
    paths = []
    for at, chunk in enumerate(pack.chunks):
        path = folder / FOLDER / f"{at:04}.js"
        write_atomically(path, f'cbtrunChunk({at},"{chunk}")\n')
        paths.append(path)
    return paths


def _batches(given: ReportInput, by_session: Mapping[str, Sequence[tuple[str, Rating]]]) -> Iterator[dict[str, str]]:
    batch: dict[str, str] = {}
    for session in given.sessions:
        shown = _shown(session, by_session.get(session.id, ()), words=given.show_transcripts)
        batch[plain(session.id)] = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
        if sum(map(len, batch.values())) > CHUNK_CHARACTERS:
            yield batch
            batch = {}
    if batch:
        yield batch


def _shown(session: Session, ratings: Sequence[tuple[str, Rating]], words: bool) -> dict[str, Any]:
    """What the viewer shows of a session: turns [speaker, text], and ratings with their scores."""
    return {
        "arm": plain(session.arm or ""),
        "persona": plain(session.persona or ""),
        "turns": [[turn.speaker[0], plain(turn.text)] for turn in session.turns] if words else None,
        "flags": [plain(flag) if words else reason_kind(flag) for flag in session.flags],
        "ratings": [
            {
                "set": name,
                "rater": plain(rating.rater),
                "repeat": rating.repeat,
                **({"wording": rating.wording} if rating.wording else {}),
                "scores": [_score(score, words) for score in rating.scores],
            }
            for name, rating in ratings
        ],
    }


def _score(score: ItemScore, words: bool) -> list[Any]:
    """[item, points or null, why unscored, rationale, [[turn, quote] ...], absent]."""
    quotes = [[quote.turn, plain(quote.text)] for quote in score.evidence] if words else []
    reason = score.reason or ""
    told = (plain(reason), plain(score.rationale)) if words else (reason_kind(reason) if reason else "", "")
    return [score.item, score.score, *told, quotes, score.absent]
