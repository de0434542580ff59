"""Draws the studies of mixed_studies.json: python mixed_studies.py > drawn.json, then Rscript mixed_studies.R.

Of ten kinds, twenty each, and four whose F test has a component with two degrees of freedom or fewer; SDs from none to nine times the residual's. A term's column holds the level of each value, `-`
where it has no part in the term.
"""

import json

import numpy as np

SDS = (0.0, 0.5, 1.0, 3.0, 9.0)
KINDS = {
    "raters": ("persona", "rater", "session"),
    "repeats": ("persona", "persona:level"),
    "seeds": ("persona", "seed", "persona:level"),
    "seeds and raters": ("persona", "rater", "seed", "persona:level", "session"),
    "three levels": ("persona", "seed", "persona:level"),
    "an untuned arm": ("persona", "seed"),
    "shared adapters": ("persona", "seed", "persona:level"),
    "personas within levels": ("persona", "rater", "session"),
    "raters who favour levels": ("persona", "rater", "rater:level", "session"),
    "gaps": ("persona", "rater", "session"),
}


def seeds_of(kind: str, level: int, at: int) -> list[str]:
    """Tunings behind a level."""
    if kind == "an untuned arm":
        return ["-"] if level else [f"a{at}" for at in range(4)]
    if kind == "shared adapters":
        return ["a0", "a1", "a2", "a3"]
    if kind == "three levels":
        return [f"{'abc'[level]}{one}" for one in range(1 if level == 2 else 2 + at % 2)]
    return [f"{'ab'[level]}{one}" for one in range(3 if "seeds" in kind else 1)]


def study(kind: str, at: int) -> dict:
    """One study: columns in one order, values in whole points."""
    rng = np.random.default_rng([18, list(KINDS).index(kind), at])
    terms, rows = KINDS[kind], []
    levels, raters = 3 if kind == "three levels" else 2, 1 + ("rater" in terms) * int(rng.integers(1, 3))
    repeats = 2 if kind in ("repeats", "personas within levels") else 1
    personas = int(rng.integers(5, 8)) if "seed" in terms else int(rng.integers(8, 15))
    for level in range(levels):
        for persona in range(personas):
            name = f"{'ab'[level]}{persona}" if kind == "personas within levels" else str(persona)
            for seed in seeds_of(kind, level, at):
                for repeat in range(repeats):
                    for rater in range(raters):
                        held = f"{level}.{persona}.{seed}.{repeat}"
                        rows.append(
                            {"level": "ABC"[level], "persona": name, "rater": str(rater), "seed": seed, "session": held,
                             "persona:level": f"{name}.{level}", "rater:level": f"{rater}.{level}"}
                        )  # fmt: skip
    if kind == "gaps":
        rows = [row for row in rows if rng.random() > 0.2]
    values = 30 + rng.normal(0, (1, 2)[at % 2], len(rows)) + np.array([2.0 * (row["level"] == "A") for row in rows])
    for term in terms:
        drawn = rng.choice(SDS[:4] if term in ("seed", "session") else SDS) * rng.normal(0, 1, 500)
        codes = np.unique([row[term] for row in rows], return_inverse=True)[1]
        values += drawn[codes] * np.array([row[term] != "-" for row in rows])
    columns = {name: " ".join(row[name] for row in rows) for name in ("level", *terms)}
    if "session" in columns:  # short names
        codes = np.unique(columns["session"].split(), return_inverse=True)[1]
        columns["session"] = " ".join(map(str, codes))
    return {"name": f"{kind} {at}", "columns": columns, "values": " ".join(f"{value:.0f}" for value in values)}


def few_degrees_of_freedom(seed: int) -> dict:
    """Three levels of 2, 2 and 1 tunings, a quarter of the values missing."""
    rng = np.random.default_rng(seed)
    people, columns, values = rng.normal(0, 3, 8), {"level": [], "persona": [], "seed": []}, []
    for level, tunings in zip("ABC", (2, 2, 1), strict=True):
        for tuning in range(tunings):
            shift = rng.normal(0, 1 if level == "A" else 4)
            for persona in range(8):
                if rng.random() < 0.25:
                    continue
                for name, own in (("level", level), ("persona", persona), ("seed", f"{level.lower()}{tuning}")):
                    columns[name].append(str(own))
                values.append(f"{30 + people[persona] + shift + rng.normal(0, 2):.0f}")
    joined = {name: " ".join(column) for name, column in columns.items()}
    return {"name": f"few degrees of freedom {seed}", "columns": joined, "values": " ".join(values)}


drawn = [study(kind, at) for kind in KINDS for at in range(20)]
print(json.dumps([*drawn, *map(few_degrees_of_freedom, (0, 1, 3, 4))]))
