"""The models of a study as a paper must name them: what each did, id, revision, vendor, host, dates of use, sampling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cbtrun.plugin import StudyView
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.tables import Row, Table

VENDORS = {
    "anthropic": "Anthropic",
    "google": "Google",
    "google-genai": "Google",
    "gemini": "Google",
    "transformers": "run on our machine",
    "vllm": "run on our machine",
}
"""Plugin -> who serves its models, where the plugin alone tells."""
SAMPLING = ("temperature", "top_p", "top_k", "repetition_penalty", "min_p", "max_tokens", "thinking", "seed", "dtype")
NOT_STATED = "not stated"


@dataclass(frozen=True)
class ModelTold:
    """One model of the study."""

    name: str
    roles: tuple[str, ...]
    id: str
    revision: str
    vendor: str
    host: str
    """Of its server's address; empty for a model on this machine."""
    dates: str
    sampling: str


def _setting(key: str, value: object) -> str:
    """`temperature 0.7`; a switch as `no seed`, `thinking on`."""
    name = key.replace("_", " ")
    if isinstance(value, bool):
        on = "a seed for each draw" if key == "seed" else f"{name} on"
        return on if value else f"no {name}"
    return f"{name} {value}"


def models_told(given: ReportInput) -> list[ModelTold]:
    """Every model that has a part in the study, in the order of the study."""
    study = given.study
    roles, found = model_roles(study), []
    own = f"of cbtrun {given.environment.versions.get('cbtrun', '')}".strip()  # what ships with it has its version
    for name, block in study.models.items():
        options = block.options
        sampling = ", ".join(_setting(key, options[key]) for key in SAMPLING if options.get(key) is not None)
        host = ", ".join(dict.fromkeys(filter(None, map(_host, block.base_urls))))
        answered = sorted(
            {one.name for one in given.environment.served if one.model == name and one.name} - {block.model}
        )
        id_ = block.model or f"the program {block.using}"
        found.append(
            ModelTold(
                name=name,
                roles=tuple(roles.get(name, ())),
                id=f"{id_} (answered as {', '.join(answered)})" if answered else id_,
                revision=str(options.get("revision") or (own if block.ships or not (host or block.model) else "")),
                vendor=VENDORS.get(block.using, "" if host or block.model else "part of cbtrun"),
                host=host,
                dates=_dates(given, name),
                sampling=sampling,
            )
        )
    return found


def model_roles(study: StudyView) -> dict[str, list[str]]:
    """Model -> what it did: therapist, patient, rater, author, base of a tuning."""
    found: dict[str, list[str]] = {}

    def note(model: str, role: str) -> None:
        roles = found.setdefault(model, [])
        if role not in roles:
            roles.append(role)

    for name, arm in study.arms.items():
        tuned = study.job_of(arm.therapist) is not None
        note(study.base_of(arm.therapist), "base of tuned therapists" if tuned else "therapist")
        note(study.patient_in(name), "patient")
    for rated in study.rating_sets.values():
        for rater in rated.options.get("raters") or ():
            note(str(rater), "rater")
    for corpus in study.corpora.values():
        for role in ("author", "therapist", "patient"):
            if isinstance(corpus.options.get(role), str):
                note(str(corpus.options[role]), "author of training transcripts")
    for people in study.personas.values():
        if isinstance(people.options.get("author"), str):
            note(str(people.options["author"]), "author of personas")
    return found


def models_sentences(given: ReportInput) -> Iterator[str]:
    """One sentence a model."""
    for one in models_told(given):
        where = f", served at {one.host}" if one.host else ""
        facts = [
            f"revision {one.revision}" if one.revision else "no revision stated",
            *([one.vendor] if one.vendor else []),
            *([one.sampling] if one.sampling else []),
            *([f"used {one.dates}"] if one.dates else []),
        ]
        yield f"As {' and '.join(one.roles) or 'a model without a part'} we used {one.id} ({'; '.join(facts)}{where})."


def models_table(given: ReportInput) -> Table | None:
    """Every model with what must be told of it."""
    rows = tuple(
        Row(
            (
                one.name,
                ", ".join(one.roles) or "–",
                one.id,
                one.revision or NOT_STATED,
                one.vendor or NOT_STATED,
                one.host or "–",
                one.dates or "–",
                one.sampling or "defaults",
            )
        )
        for one in models_told(given)
    )
    columns = ("Model", "Part", "Id", "Revision", "Vendor", "Host", "Used", "Sampling")
    note = "What the study states; the host is the address without its path, and a vendor is named where the plugin tells it"
    return Table("models", "Models", columns, rows, len(columns), None, (note,)) if rows else None


def _host(address: str) -> str:
    """The host of an address; what cannot be read as one is not shown, since it may hold more than an address."""
    if not address:
        return ""
    if address.startswith("${"):
        return "an address from the environment"
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _dates(given: ReportInput, name: str) -> str:
    """`2026-11-27`, or from when to when: of the replies where they tell, else of the run."""
    times = [at for one in given.environment.served if one.model == name for at in (one.first, one.last) if at]
    days = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") for at in (min(times), max(times))] if times else []
    if not days:
        days = [one[:10] for one in (given.environment.started, given.environment.finished) if one]
    return " to ".join(dict.fromkeys(days))
