"""The page: everything a report shows, put into its template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cbtrun.plugin import level_text, variables, variation_command
from cbtrun.plugins.report import plates, wording
from cbtrun.plugins.report.behind import behind_comparison, unscored_items
from cbtrun.plugins.report.bibliography import bibtex
from cbtrun.plugins.report.checklists import checklist_tables
from cbtrun.plugins.report.corpora import corpora_table
from cbtrun.plugins.report.corrected_table import corrected_table
from cbtrun.plugins.report.cost import cost_table
from cbtrun.plugins.report.courses import course_plates, course_table
from cbtrun.plugins.report.design_drawing import card_lines, draw_design
from cbtrun.plugins.report.diagnostics import few_units, warnings
from cbtrun.plugins.report.dose_curves import dose_plates
from cbtrun.plugins.report.fidelity_tables import exclusion_table, fidelity_table
from cbtrun.plugins.report.figure_style import NARROW, WIDE, Plate, page_svg
from cbtrun.plugins.report.first_forest import MOST_ROWS, declared_contrasts, first_forest
from cbtrun.plugins.report.first_notes import moved_against, what_is_missing
from cbtrun.plugins.report.flow import flow_table
from cbtrun.plugins.report.flow_figure import flow_plates
from cbtrun.plugins.report.inputs import ReportInput, headline_comparison, main_grouping
from cbtrun.plugins.report.instruments import instruments_table
from cbtrun.plugins.report.learning import learning, learning_plates, learning_tables
from cbtrun.plugins.report.limitations import limitation_plates, limitation_table
from cbtrun.plugins.report.methods import citations, methods_text
from cbtrun.plugins.report.models_told import models_table
from cbtrun.plugins.report.notices import notices
from cbtrun.plugins.report.page_parts import Plates, Tables
from cbtrun.plugins.report.people import arm_prompts, headline_pairs
from cbtrun.plugins.report.people_agreement import people_table, standing_in_table
from cbtrun.plugins.report.persona_balance import balance_table
from cbtrun.plugins.report.persona_groups import persona_plates, persona_table
from cbtrun.plugins.report.plain_text import plain
from cbtrun.plugins.report.published import published_table
from cbtrun.plugins.report.published_contrasts import published_contrasts_table
from cbtrun.plugins.report.rating_checks import rating_tables
from cbtrun.plugins.report.rehearsal import rehearsal_table
from cbtrun.plugins.report.reliability import agreement_table, reliability_table
from cbtrun.plugins.report.result_tables import caveats, comparisons_table, groups_table, items_table, titles_by_outcome
from cbtrun.plugins.report.results_told import results_text
from cbtrun.plugins.report.retries import moved_table, retries_table
from cbtrun.plugins.report.scales import scale_label
from cbtrun.plugins.report.served import changed_notices, served_table
from cbtrun.plugins.report.session_list import list_sessions
from cbtrun.plugins.report.tables import cell_link, is_too_wide_for_a_phone, narrow_widths
from cbtrun.plugins.report.training import training_plates
from cbtrun.plugins.report.transcripts import FOLDER, Pack
from cbtrun.plugins.report.unscored import unscored_words

if TYPE_CHECKING:
    from jinja2 import Environment

    from cbtrun.plugins.report.run_comparison import RunComparison
    from cbtrun.plugins.report.run_files import RunFiles

SCRIPTS = (
    "appearance.js",
    "session-list.js",
    "transcripts.js",
    "transcript-parts.js",
    "side-by-side.js",
    "own-notes.js",
    "viewer.js",
    "keeping.js",
)


@dataclass(frozen=True)
class PageFigure:
    """A figure as it stands in the page: once for wide screens, once for narrow ones."""

    name: str
    title: str
    caption: str
    wide: str
    narrow: str


def make_plates(given: ReportInput) -> Plates:
    """All figures that the study has something to show in."""
    forest = list(plates.forest_plates(given))
    return Plates(
        groups=(*plates.groups_plates(given), *dose_plates(given), *plates.pairs_plates(given)),
        contrasts=tuple(one for one in forest if one.name == "contrasts"),
        items=(*plates.profile_plates(given), *(one for one in forest if one.name == "item-contrasts")),
        breakdown=(*persona_plates(given), *plates.length_plates(given)),
        training=tuple(training_plates(given)),
        courses=tuple(course_plates(given)),
        limitations=tuple(limitation_plates(given)),
        design=tuple(flow_plates(given)),
        learning=tuple(learning_plates(given)),
    )


def make_tables(given: ReportInput) -> Tables:
    """All tables of results."""
    main = main_grouping(given)
    there = next((one.groups for rated in given.results.ratings.values() for one in rated.outcomes), {})
    others = [name for name in there if name not in (main, "all")]
    return Tables(
        groups=groups_table(given, main),
        other_groupings=tuple(groups_table(given, name, f"groups-by-{name}") for name in others),
        comparisons=comparisons_table(given),
        items=items_table(given, main),
        more=tuple(
            one
            for one in (
                rehearsal_table(given.study),
                corrected_table(given),
                persona_table(given),
                agreement_table(given),
                reliability_table(given),
                instruments_table(given.study),
                published_table(given),
                published_contrasts_table(given),
                *rating_tables(given),
                exclusion_table(given),
                fidelity_table(given),
                course_table(given),
                limitation_table(given),
                balance_table(given),
                corpora_table(given),
                *learning_tables(given),
                retries_table(given),
                moved_table(given),
                people_table(given),
                standing_in_table(given),
                flow_table(given),
                models_table(given),
                *checklist_tables(given),
                served_table(given),
            )
            if one
        ),
        cost=cost_table(given),
    )


def render_page(given: ReportInput, plates: Plates, tables: Tables, pack: Pack, *, inline: bool) -> str:
    """The whole page. inline: transcripts stand in it, else in a folder beside it."""
    environment = _environment()
    script = page_script()
    headline = headline_comparison(given)
    return environment.get_template("report.html.j2").render(
        given=given,
        results=given.results,
        notices=notices(given),
        unscored=[*unscored_words(given), *changed_notices(given)],
        caveats=caveats(given),
        variables=variables(given.named.study),
        variation_command=variation_command(given.named.study),
        behind_comparison=behind_comparison,
        unscored_items=unscored_items(given),
        headline=headline,
        few_units=few_units(headline) if headline else "",
        forest=first_forest(given),
        declared_ones=declared_contrasts(given)[:MOST_ROWS],
        against=moved_against(given),
        missing=what_is_missing(given),
        scale=scale_label(given, headline.outcome) if headline else "",
        titles=titles_by_outcome(given),
        drawing=draw_design(given.study),
        figures={name: [_for_page(one) for one in getattr(plates, name)] for name in plates.__dataclass_fields__},
        tables=tables,
        warnings=warnings(given),
        listed=list_sessions(given, pack),
        pack=pack if inline else None,
        people=pack.people,
        pairs=headline_pairs(given),
        items=_item_words(given),
        chunk_folder=FOLDER,
        methods=methods_text(given),
        citations=citations(given),
        bibliography=bibtex(citations(given)),
        told_results=results_text(given),
        learning=learning(given),
        prompts=arm_prompts(given),
        spec_text=_spec_text(given),
        style=_text("style.css"),
        script=script,
        policy=_policy(script, inline=inline),
        grouping=main_grouping(given),
    )


def index_page(runs: Mapping[str, RunFiles], found: RunComparison | None) -> str:
    """The page of several runs by their numbers, or of two of them compared."""
    return _environment().get_template("index.html.j2").render(runs=runs, found=found, style=_text("style.css"))


def thinking_template(**shown: Any) -> str:
    """The page of what was thought (thinking_page.py)."""
    return _environment().get_template("thinking.html.j2").render(**shown, style=_text("style.css"))


def calls_template(**shown: Any) -> str:
    """The page of requests and replies (calls_page.py)."""
    return _environment().get_template("calls.html.j2").render(**shown, style=_text("style.css"))


def _item_words(given: ReportInput) -> dict[str, Any]:
    """What the viewer needs to know of every rating set: item titles and scales."""
    return {
        name: {
            "title": rated.rubric.title,
            "note": rated.rubric.validation,
            "items": {
                one.id: [plain(one.title), one.low, one.high] for one in rated.rubric.items if one.kind == "item"
            },
        }
        for name, rated in given.results.ratings.items()
    }


def _spec_text(given: ReportInput) -> str:
    import yaml

    return str(yaml.safe_dump(dict(given.named.study), sort_keys=False, allow_unicode=True, width=100))


def _for_page(plate: Plate) -> PageFigure:
    from markupsafe import Markup

    wide, narrow = (
        Markup(page_svg(plate, width)) for width in (WIDE, NARROW)
    )  # our own drawing, escaped by matplotlib
    return PageFigure(plate.name, plate.title, plate.caption, wide, narrow)


def page_script() -> str:
    """The one script of the page."""
    return "\n".join(_text(name) for name in SCRIPTS)


def script_source(script: str) -> str:
    """What a content security policy allows the script by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _policy(script: str, *, inline: bool) -> str:
    """The page's content security policy: nothing is fetched, and no script runs but ours."""
    beside = "" if inline else " 'self' file:"
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script_source(script)}{beside}; base-uri 'none'; form-action 'none'"


def _environment() -> Environment:
    """Jinja with escaping on; every text goes through `plain` before it is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader("cbtrun.plugins.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=wording.number,
        interval=wording.interval,
        probability=wording.probability,
        effect=wording.effect,
        test=wording.test,
        contrast=wording.contrast,
        duration=wording.duration,
        difference_decimals=wording.difference_decimals,
        subgroup=wording.subgroup,
        bracket_words=wording.bracket_words,
        level_text=level_text,
        effect_name=wording.effect_name,
        sentence=wording.sentence,
        breakable=wording.breakable,
        narrow_widths=narrow_widths,
        cell_link=cell_link,
        is_too_wide_for_a_phone=is_too_wide_for_a_phone,
        card_lines=card_lines,
        raw=_raw,
    )
    return environment


def _raw(ours: str) -> Any:
    """Our own style and script, as they are."""
    from markupsafe import Markup

    return Markup(ours)  # files of this package


def _text(name: str) -> str:
    return files("cbtrun.plugins.report").joinpath(name).read_text(encoding="utf-8")
