"""`cbtrun preregister`: write down, before the data exist, what will be compared and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cbtrun.cli.shared import spec_argument

if TYPE_CHECKING:
    from cbtrun.analysis.preregistration import Registration
    from cbtrun.registry import Registry
    from cbtrun.study.spec import Study


@click.command()
@spec_argument
@click.option("sets", "--set", multiple=True, metavar="PATH=VALUE", help="Override a key of the study, as for `run`.")
@click.option("--allow-local-plugins", is_flag=True, help="Load the Python files that the study lists, as for `run`.")
@click.option("--to", "path", type=click.Path(path_type=Path), help="File to write; SPEC.registration.json beside SPEC if not given.")  # fmt: skip
@click.option("--text", is_flag=True, help="Write the registration as prose too, beside it (.md), under the headings of OSF's and AsPredicted's forms. A registration that is there already is told, not made anew.")  # fmt: skip
@click.option("--published", metavar="WHERE", help="Note where the digest of the registration lies now: an address of OSF or AsPredicted, a signed tag. The report says so.")  # fmt: skip
def preregister(
    spec: Path, sets: tuple[str, ...], allow_local_plugins: bool, path: Path | None, text: bool, published: str | None
) -> None:
    """Freeze SPEC by digest, with the time, in a file beside it: its analyses and their order, arms, models and addresses,
    rubrics, every file that it reads, the code, personas and corpora.

    Every run of SPEC takes the file along, and the report says "as registered" or lists every deviation. The time is this
    machine's own claim: put the digest on OSF, AsPredicted or into a signed tag. Calls no model but embedded ones.
    """
    from cbtrun.analysis.preregistration import read_registration
    from cbtrun.cli.shared import load
    from cbtrun.errors import SpecError
    from cbtrun.run.promise import registration_beside
    from cbtrun.study.shipped import shipped_folder

    if path is None and spec.is_absolute() and spec.parent == shipped_folder():
        like = f"cbtrun new study NAME --like {spec.stem}"
        raise SpecError.at(
            spec.stem, f"ships with cbtrun; write a study of your own (`{like}`) and register that, or say --to FILE"
        )
    study, registry = load(spec, sets, allow_local_plugins)
    target = path or registration_beside(study)
    if (text or published) and target.exists():
        registration = read_registration(target)
    else:
        registration = _register(study, registry, target)
    if text:
        _write_text(study, registration, target)
    if published:
        _note_published(study, registration, published)


def _register(study: Study, registry: Registry, target: Path) -> Registration:
    """Register a study, and say what was frozen."""
    from datetime import UTC, datetime

    from cbtrun.analysis.preregistration import write_registration
    from cbtrun.pipeline import make_beforehand
    from cbtrun.run.promise import register_study, registered
    from cbtrun.run.register import note

    registration = register_study(study, registry, make_beforehand(study, registry), datetime.now(UTC))
    write_registration(registration, target)
    for line in _told(study, registration, target):
        click.echo(line)
    for line in _before(study, registration):
        click.echo(line)
    note(registered(study, registration), None)
    return registration


def _told(study: Study, registration: Registration, target: Path) -> list[str]:
    """What was frozen, and the forms in which the digest leaves this machine."""
    frozen, made = registration.frozen, registration.made
    groups = (
        ("rubric", registration.rubrics),
        ("file", {**frozen.texts, **frozen.files}),
        ("personas", made.personas),
        ("corpus", made.corpus),
    )
    loose = [name for name in study.personas if name not in made.personas]
    loose += [name for name in study.corpora if name not in made.corpus]
    return [
        f"registered {study.name} at {registration.registered_at}: {target}",
        f"  digest    {registration.digest}",
        f"  frozen    {', '.join(registration.blocks)}",
        f"  headline  {registration.headline}",
        *(f"  {kind:<9} {name} {digest[:12]}" for kind, listed in groups for name, digest in listed.items()),
        *(f"  code      {name} {version}" for name, version in frozen.code.items()),
        *(f"  address   {name} {digest[:20]}" for name, digest in frozen.addresses.items()),
        *([f"  not made  {', '.join(loose)}: a model writes them; frozen when they are first made"] if loose else []),
        *_ways_out(registration),
    ]


def _ways_out(registration: Registration) -> list[str]:
    about = f"cbtrun registration of {registration.study}, SHA-256 {registration.digest}"
    return [
        "The time is this machine's own claim until the digest lies outside it. Either of these puts it there:",
        f"  OSF, AsPredicted  {about}",
        f'  git               git tag -s registered-{registration.study}-{registration.digest[:12]} -m "{about}"',
        "`cbtrun preregister SPEC --text` writes the answers to the forms of these sites, `--published WHERE` notes where it lies.",
    ]


def _before(study: Study, registration: Registration) -> list[str]:
    """What the register of this machine knows of the study from before."""
    from cbtrun.run.earlier import earlier_words
    from cbtrun.run.promise import where
    from cbtrun.run.register import entries_of

    told = earlier_words(registration, entries_of(where(study), study.name, None), None)
    return ["Not the first that this machine knows of, and the report will say so:", *(f"  {one}" for one in told)] if told else []  # fmt: skip


def _write_text(study: Study, registration: Registration, target: Path) -> None:
    from cbtrun.analysis.registration_text import registration_text
    from cbtrun.files.run_folder import write_atomically

    beside = target.with_suffix(".md")
    write_atomically(beside, registration_text(registration))
    click.echo(f"as prose: {beside}")


def _note_published(study: Study, registration: Registration, place: str) -> None:
    from cbtrun.run.promise import where
    from cbtrun.run.register import RegisterLine, note, now

    entry = RegisterLine(
        event="published", at=now(), study=study.name, file=where(study), under=registration.digest, where=place
    )
    note(entry, None)
    click.echo(f"noted: {registration.digest} lies at {place}")
