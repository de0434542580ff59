"""What describes a package to others: RO-Crate, Croissant, CITATION.cff, and what Zenodo and OSF ask for at a deposit.

Sources: RO-Crate 1.2 (Soiland-Reyes et al. 2022), written by the kept library `rocrate`; Croissant 1.0 (MLCommons 2024);
Citation File Format 1.2.0; Zenodo's and OSF's deposit metadata as their developers' pages state them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import yaml

from cbtrun.packaging.parts import RUN, Part
from cbtrun.version import __version__

NOT_FOR_CARE = "Research on language models. Nothing in it is for use with people in need of care."
NO_LICENCE = "not stated"
CONSENTED = "It may hold words of real people. They have consented to its publication, as whoever packaged it states."
NOBODY = "No real person speaks in it, as the study says."
CROISSANT_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "samplingRate": "cr:samplingRate",
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""As the specification of Croissant 1.0 gives it."""


@dataclass(frozen=True)
class About:
    """What a package is about."""

    name: str
    title: str
    finished: str
    """Day on which the run ended, as ISO 8601 has it."""
    finding: str
    """Its finding in words; empty where there is none."""
    authors: tuple[str, ...]
    licence: str
    """An SPDX name or an address; empty where the authors state none."""
    people: bool = False
    """Whether real people speak in the study."""

    @property
    def description(self) -> str:
        """Question and finding in a paragraph."""
        told = [self.title or self.name, self.finding, f"Made with cbtrun {__version__}.", NOT_FOR_CARE]
        return " ".join(one if one.endswith(".") else f"{one}." for one in told if one)


def described(about: About, parts: Sequence[Part]) -> list[Part]:
    """The files that describe a package."""
    return [
        Part("ro-crate-metadata.json", _json(ro_crate(about, parts)), "description (RO-Crate)"),
        Part("croissant.json", _json(croissant(about, parts)), "description of the data (Croissant)"),
        Part("CITATION.cff", _citation(about), "how it is cited"),
        Part(".zenodo.json", _json(_zenodo(about)), "metadata for Zenodo"),
        Part("osf.json", _json(_osf(about)), "metadata for OSF"),
    ]


def ro_crate(about: About, parts: Sequence[Part]) -> dict[str, Any]:
    """The JSON-LD of RO-Crate: one entry a file, with its digest and its terms."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate()
    crate.name, crate.description = about.title or about.name, about.description
    crate.datePublished = about.finished
    crate.license = about.licence or "No licence is stated: all rights are their holders'."
    if about.authors:
        people = [crate.add_jsonld({"@id": f"#author-{at}", "@type": "Person", "name": one}) for at, one in enumerate(about.authors, 1)]  # fmt: skip
        crate.root_dataset["author"] = people
    for part in parts:
        more = {"license": part.licence or about.licence or NO_LICENCE}
        if part.speaks:
            more["conditionsOfAccess"] = CONSENTED if about.people else NOBODY
        crate.add_jsonld(
            {
                "@id": part.name,
                "@type": "File",
                "name": part.name,
                "description": part.role,
                "encodingFormat": part.format,
                "contentSize": str(len(part.bytes)),
                "sha256": sha256(part.bytes).hexdigest(),
                **more,
            }
        )
        crate.root_dataset.append_to("hasPart", {"@id": part.name})
    made: dict[str, Any] = crate.metadata.generate()
    made["@graph"] = sorted(made["@graph"], key=lambda one: str(one["@id"]))
    return made


def croissant(about: About, parts: Sequence[Part]) -> dict[str, Any]:
    """The JSON-LD of Croissant: the tables of the report with their columns, and the records of the run."""
    tables = [one for one in parts if one.name.startswith(f"{RUN}/tables/") and one.name.endswith(".csv")]
    records = [one for one in parts if one.name.startswith(f"{RUN}/") and one.name.endswith(".jsonl")]
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.name,
        "description": about.description,
        "datePublished": about.finished,
        "version": "1.0.0",
        "license": about.licence or "No licence is stated",
        "url": f"https://example.org/{about.name}",
        "citeAs": f"{', '.join(about.authors) or 'The authors'}: {about.title or about.name}",
        "creator": [{"@type": "Person", "name": one} for one in about.authors],
        "distribution": [_file_object(one) for one in [*tables, *records]],
        "recordSet": [_record_set(one) for one in tables],
    }


def _file_object(part: Part) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": part.name,
        "name": part.name,
        "description": part.role,
        "contentUrl": part.name,
        "encodingFormat": "text/csv" if part.name.endswith(".csv") else part.format,
        "sha256": sha256(part.bytes).hexdigest(),
    }


def _record_set(part: Part) -> dict[str, Any]:
    stem = part.name.rpartition("/")[2].removesuffix(".csv")
    columns = next(csv.reader(io.StringIO(part.bytes.decode("utf-8-sig"))), [])
    return {
        "@type": "cr:RecordSet",
        "@id": stem,
        "name": stem,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{stem}/{at}",
                "name": column or f"column {at}",
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": part.name}, "extract": {"column": column}},
            }
            for at, column in enumerate(columns, 1)
        ],
    }


def _citation(about: About) -> bytes:
    named = [_person(one) for one in about.authors] or [{"name": "The authors of the study (name them here)"}]
    content = {
        "cff-version": "1.2.0",
        "message": "If you use this study, cite it, and cbtrun with the version that its report names.",
        "title": about.title or about.name,
        "type": "dataset",
        "authors": named,
        "date-released": about.finished,
        **({"license": about.licence} if about.licence else {}),
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def _person(name: str) -> dict[str, str]:
    given, _, family = name.rpartition(" ")
    return {"family-names": family, "given-names": given} if given else {"name": name}


def _zenodo(about: About) -> dict[str, Any]:
    creators = [{"name": f"{one.rpartition(' ')[2]}, {one.rpartition(' ')[0]}".rstrip(", ")} for one in about.authors]
    return {
        "title": about.title or about.name,
        "upload_type": "dataset",
        "description": about.description,
        "creators": creators,
        "publication_date": about.finished,
        "keywords": ["cognitive behavioural therapy", "language models", "cbtrun"],
        "access_right": "open" if about.licence else "restricted",
        **({"license": about.licence} if about.licence else {}),
    }


def _osf(about: About) -> dict[str, Any]:
    """OSF's own words for a project (`POST /v2/nodes/`)."""
    return {
        "data": {
            "type": "nodes",
            "attributes": {
                "title": about.title or about.name,
                "category": "project",
                "description": about.description,
                "tags": ["cbt", "language models", "cbtrun"],
                "public": False,
            },
        }
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
