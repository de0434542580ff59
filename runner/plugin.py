"""All that a plugin may import of cbtrun: `from cbtrun.plugin import hookimpl, StageContext`

Names in here stay; modules behind them may move. A name is imported when somebody asks for it, so that a small plugin
starts fast. plugin.pyi says the same to type checkers; `python tools/plugin_face.py` keeps both in step with plugins/.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

HOMES: Mapping[str, str] = {
    # Hooks, and what they are given and give
    "cbtrun.cluster.sent_files": "files_digest files_in write_files",
    "cbtrun.contexts": "BlockContext Promise RunFacts StageContext StageNote",
    "cbtrun.contract.batches": (
        "BatchItem BatchSeen BatchService CANCELLED EXPIRED FoundBatch HasBatches ItemAnswer Standing "
        "Submission SubmissionUnknown TooLarge"
    ),
    "cbtrun.contract.check": "Check ServerContext ServerQuestion",
    "cbtrun.contract.exported": "ExportContext",
    "cbtrun.contract.extras": "lacking_packages",
    "cbtrun.contract.plans": "Plan PlanContext PlannedCalls TURN_TOKENS",
    "cbtrun.contract.sources": "statements_digest",
    "cbtrun.contract.stand_in": "StandIn",
    "cbtrun.contract.study_blocks": "Arm RatingSet",
    "cbtrun.contract.study_view": "StudyView view_of",
    "cbtrun.contract.thinking": "opened_thinking Said without_thinking",
    "cbtrun.contract.thinking_option": "thinking_room",
    "cbtrun.contract.workplace": (
        "Engines Files machines_elsewhere Node OpenedBy SEATED SentFolder Training Worked Workplace"
    ),
    "cbtrun.hookspecs": "hookimpl",
    # Errors, each with the words that a user can act on
    "cbtrun.errors": (
        "AccessRefused CbtrunError ModelError NotSent Place PluginError Problem RateLimited Refusal "
        "ServerFault ServerTrouble SpecError StageError StatisticsError StopRun WrongModel"
    ),
    # Models: what they are asked, what they answer, what else they may have
    "cbtrun.contract.models": (
        "AnswerMode ChatMessage ContextRoom CountsTokens Draw EngineShare HasAnswerMode HasCode "
        "HasLanguages HasRoom HasTakes Model ModelContext Reply Request Takes"
    ),
    # Servers and calls: addresses, keys, limits, answers that follow a schema
    "cbtrun.calls.calls": "Calls",
    "cbtrun.calls.kept_replies": "bounded_cost is_count one_line",
    "cbtrun.calls.server_terms": "HasTerms ServerTerms terms_of TERMS_OPTIONS",
    "cbtrun.calls.structured": "Answer ask Replies SpeaksFor",
    "cbtrun.calls.transport": "Answer=ServerAnswer Patience Transport",
    "cbtrun.journal.served": "drifts Served",
    "cbtrun.keys.addresses": "server_of",
    "cbtrun.keys.secrets": "environment_without_keys HUB_KEYS Secret",
    # Records of a study, and lists of them on disk
    "cbtrun.contract.record_schema": "record_schema",
    "cbtrun.contract.records": (
        "Adapter Comparison Correction Effect Failure FullPersona Interval ItemScore Json Measured "
        "Message Persona Rating Record Session Situation Speaker Test Transcript Turn"
    ),
    "cbtrun.contract.reinforced": "CONTROL_KINDS ControlReward Rollout TrainingStep",
    "cbtrun.contract.rollouts": "HeldStep Policy Rollouts SessionRow",
    "cbtrun.contract.worded": "repeat_of Which which_rating wording_of",
    "cbtrun.files.record_list": "packed_line RecordList",
    "cbtrun.study.persona_sets": "content_digest",
    # Digests and seeds
    "cbtrun.contract.digests": "derive_seed digest file_digest tree_digest",
    # Rubrics and ratings
    "cbtrun.ratings.answer": "answer_form AnswerForm item_scores unscored",
    "cbtrun.ratings.evidence": "TurnsSearched",
    "cbtrun.ratings.languages": "spoken_in why_unreadable",
    "cbtrun.ratings.norms": "norms_of",
    "cbtrun.ratings.order": "asking_place",
    "cbtrun.ratings.reasons": "NOT_APPLICABLE reason_kind TOO_LONG",
    "cbtrun.ratings.request": (
        "Brief rating_brief rating_request rendered_example shown_turns ShownTurn template_path TEMPLATES "
        "transcript_length unblinding_flags Window windows"
    ),
    "cbtrun.ratings.rubric": "combined_ends Item Measurement Rubric rubric_digest",
    "cbtrun.ratings.rubric_file": "read_rubric",
    "cbtrun.ratings.rubric_signals": "Carried Echo Phrases Ratio Repeated Signal Words",
    "cbtrun.ratings.windows": "joined_scores window_flags",
    "cbtrun.ratings.wordings": "count_wordings Wording wording_faults wordings_of",
    "cbtrun.scores.making": "scores_of",
    "cbtrun.scores.score": "Score",
    "cbtrun.scores.score_table": "ScoreTable",
    "cbtrun.scores.totals": "Aggregate outcome_names rating_total",
    # Analyses: tables, options, checks, power
    "cbtrun.analysis.block": (
        "analyse_block common_fields count_personas effects_and_notes finished levelled_sessions "
        "missing_level_notes persona_levels stored tests_and_notes"
    ),
    "cbtrun.analysis.checks": "compared_problems factorial_problems fit_problems",
    "cbtrun.analysis.headline": "headline_of",
    "cbtrun.analysis.noise": "independent_noise paired_noise",
    "cbtrun.analysis.options": (
        "block_schema compared_option corrected_option several_levels_options tests_option two_levels_options"
    ),
    "cbtrun.analysis.pairs": "PairOfLevels pairs_between pairs_within",
    "cbtrun.analysis.scope": "tunings_of",
    "cbtrun.analysis.sensitivity": "worst_case_of_groups worst_case_of_pairs",
    "cbtrun.analysis.table": (
        "analysis_table AnalysisTable are_averaged are_paired complete_blocks group_of independent_units "
        "keep_where LevelledSession pair_by_persona Pairing Row rows_at shared_personas"
    ),
    "cbtrun.analysis.trained_on": "is_own_score judge_of set_of",
    "cbtrun.power.design_search": "Frontier Priced",
    "cbtrun.power.designs": "ArmContrast Design PARTS Precision",
    "cbtrun.power.formulas": "power_of_equivalence power_of_f smallest_effect",
    "cbtrun.power.planned": (
        "equal_groups GROUPS Kind PAIRS PEOPLE planned_test PlannedTest power_between_groups "
        "power_in_pairs PowerContext StudyFacets"
    ),
    "cbtrun.power.ranks": "mann_whitney_power odds_power PowerAt wilcoxon_power",
    "cbtrun.power.words": "effect_curve planned_alike size_curve Wanted",
    # Statistics: numbers in, numbers and sentences out
    "cbtrun.statistics": "assumptions bootstrap effect_sizes omnibus paired two_groups",
    "cbtrun.statistics.equivalence": "equivalence_of_groups equivalence_of_pairs",
    "cbtrun.statistics.factorial": "between_contrast Contrast contrast_rows Part within_contrast",
    "cbtrun.statistics.mixed": "departures fit_mixed mixed_contrast mixed_f_test MixedFit",
    "cbtrun.statistics.ordinal": "proportional_odds ProportionalOdds",
    "cbtrun.statistics.paired": "paired_t_test",
    "cbtrun.statistics.samples": "Sized Tested",
    "cbtrun.statistics.sentences": "all_levels_sentence is_shown level_names two_levels_sentence",
    "cbtrun.statistics.ties": "count_distinct",
    "cbtrun.statistics.two_estimates": "difference_of_estimates error_from_p",
    "cbtrun.statistics.wording": (
        "counts_text decimals_of interval_text level_name level_text p_value points SESSIONS_AND_RATINGS "
        "sessions_text TEST_NAMES tested_text"
    ),
    # Results
    "cbtrun.contract.labels": "ARM Labels labels_of",
    "cbtrun.humans.agree": "AgreementReport Figure=PairwiseFigure",
    "cbtrun.reinforced.control_pairs": "controls_told ControlTold",
    "cbtrun.reinforced.curves": "curve Mean=ScoreMean Point=StepPoint REWARD score_names score_of",
    "cbtrun.reinforced.gap": "must_rise_of",
    "cbtrun.reinforced.kept_steps": "kept_trainings KeptTraining",
    "cbtrun.reinforced.stops": "stop_reason",
    "cbtrun.reinforced.verdict": "Verdict verdict_of",
    "cbtrun.reinforced.watched": "vetoed_share",
    "cbtrun.reliability.records": "Reliability",
    "cbtrun.results.failure_groups": "failure_groups",
    "cbtrun.results.groups": "describe grouping_levels level_of",
    "cbtrun.results.labelled": "labelled_comparison labelled_results labelled_session labelled_study",
    "cbtrun.results.nothing_scored": "nothing_scored NothingScored",
    "cbtrun.results.records": "GroupSummary OutcomeSummary read_results Results results_in",
    "cbtrun.results.spoken": "ends_of on_its_scale on_their_scales scale_words",
    "cbtrun.scores.rated_sets": "RatedSet",
    "cbtrun.statistics.clustered": "clustered_interval",
    # Files that people write: YAML with places, tables, patterns, templates
    "cbtrun.documents.patterns": "bounded BoundedPatterns check_pattern",
    "cbtrun.documents.schema": "schema_problems with_defaults",
    "cbtrun.documents.yaml_source": "Located PlaceOf read_yaml",
    "cbtrun.files.csv_cells": "bare_cell csv_text",
    "cbtrun.study.overrides": "find_path",
    "cbtrun.study.variations": "variables variation_command",
    "cbtrun.tables.file_set": "files_of has_files session_names",
    "cbtrun.tables.readers.spoken_lines": "spoken_turns",
    "cbtrun.tables.row": "AS_FOUND Row=TableRow Table Writing",
    "cbtrun.tables.text_file": "text_of",
    "cbtrun.tables.transcript_table": "read_table told",
    "cbtrun.templates.chat": "ChatTemplateLimit parsed_chat_template rendered_chat RenderedChat template_variables",
    "cbtrun.templates.prompts": "filled static_faults template_faults used_variables",
    # Files that cbtrun writes, and processes that it starts
    "cbtrun.files.plain_files": "open_plain",
    "cbtrun.files.run_folder": "read_records RunFolder write_atomically write_lines_atomically",
    "cbtrun.import_path": "child_environment python_module",
    "cbtrun.journal.replies": "KeptReply replies_about",
    "cbtrun.journal.thoughts": "thinkers Thought thoughts_about",
    "cbtrun.run.study_lock": "lock_of",
    "cbtrun.run.tombstones": "FORGOTTEN",
}
"""Module -> the names that plugins may have of it; `Row=TableRow` where two modules have one name."""


def _homes() -> dict[str, tuple[str, str]]:
    """Name in the face -> module, and its name there."""
    pairs = ((module, *entry.split("=")) for module, names in HOMES.items() for entry in names.split())
    return {pair[-1]: (pair[0], pair[1]) for pair in pairs}


_HOMES = _homes()


def home_of(name: str) -> str | None:
    """The module that a name of the face comes from: what decides a stage is the module, not the face."""
    home = _HOMES.get(name)
    return home[0] if home else None


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"cbtrun.plugin has no '{name}': plugins may have the names that runner/plugin.py lists")
    module, own = _HOMES[name]
    home = import_module(module)
    if not hasattr(home, own) and hasattr(home, "__path__"):  # a module of a package
        return import_module(f"{module}.{own}")
    return getattr(home, own)


def __dir__() -> list[str]:
    return sorted(_HOMES)
