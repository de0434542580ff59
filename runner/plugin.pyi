"""What plugins may import, for type checkers: written by tools/plugin_face.py."""

from collections.abc import Mapping

# Analyses: tables, options, checks, power
from cbtrun.analysis.block import analyse_block as analyse_block
from cbtrun.analysis.block import common_fields as common_fields
from cbtrun.analysis.block import count_personas as count_personas
from cbtrun.analysis.block import effects_and_notes as effects_and_notes
from cbtrun.analysis.block import finished as finished
from cbtrun.analysis.block import levelled_sessions as levelled_sessions
from cbtrun.analysis.block import missing_level_notes as missing_level_notes
from cbtrun.analysis.block import persona_levels as persona_levels
from cbtrun.analysis.block import stored as stored
from cbtrun.analysis.block import tests_and_notes as tests_and_notes
from cbtrun.analysis.checks import compared_problems as compared_problems
from cbtrun.analysis.checks import factorial_problems as factorial_problems
from cbtrun.analysis.checks import fit_problems as fit_problems
from cbtrun.analysis.headline import headline_of as headline_of
from cbtrun.analysis.noise import independent_noise as independent_noise
from cbtrun.analysis.noise import paired_noise as paired_noise
from cbtrun.analysis.options import block_schema as block_schema
from cbtrun.analysis.options import compared_option as compared_option
from cbtrun.analysis.options import several_levels_options as several_levels_options
from cbtrun.analysis.options import tests_option as tests_option
from cbtrun.analysis.options import two_levels_options as two_levels_options
from cbtrun.analysis.pairs import PairOfLevels as PairOfLevels
from cbtrun.analysis.pairs import pairs_between as pairs_between
from cbtrun.analysis.pairs import pairs_within as pairs_within
from cbtrun.analysis.sensitivity import worst_case_of_groups as worst_case_of_groups
from cbtrun.analysis.sensitivity import worst_case_of_pairs as worst_case_of_pairs
from cbtrun.analysis.table import AnalysisTable as AnalysisTable
from cbtrun.analysis.table import LevelledSession as LevelledSession
from cbtrun.analysis.table import Pairing as Pairing
from cbtrun.analysis.table import Row as Row
from cbtrun.analysis.table import analysis_table as analysis_table
from cbtrun.analysis.table import are_averaged as are_averaged
from cbtrun.analysis.table import are_paired as are_paired
from cbtrun.analysis.table import complete_blocks as complete_blocks
from cbtrun.analysis.table import group_of as group_of
from cbtrun.analysis.table import independent_units as independent_units
from cbtrun.analysis.table import keep_where as keep_where
from cbtrun.analysis.table import pair_by_persona as pair_by_persona
from cbtrun.analysis.table import rows_at as rows_at
from cbtrun.analysis.table import shared_personas as shared_personas

# Servers and calls: addresses, keys, limits, answers that follow a schema
from cbtrun.calls.calls import Calls as Calls
from cbtrun.calls.kept_replies import bounded_cost as bounded_cost
from cbtrun.calls.kept_replies import is_count as is_count
from cbtrun.calls.kept_replies import one_line as one_line
from cbtrun.calls.server_terms import TERMS_OPTIONS as TERMS_OPTIONS
from cbtrun.calls.server_terms import HasTerms as HasTerms
from cbtrun.calls.server_terms import ServerTerms as ServerTerms
from cbtrun.calls.server_terms import terms_of as terms_of
from cbtrun.calls.structured import Answer as Answer
from cbtrun.calls.structured import Replies as Replies
from cbtrun.calls.structured import SpeaksFor as SpeaksFor
from cbtrun.calls.structured import ask as ask
from cbtrun.calls.transport import Answer as _ServerAnswer
from cbtrun.calls.transport import Patience as Patience
from cbtrun.calls.transport import Transport as Transport

# Hooks, and what they are given and give
from cbtrun.contexts import BlockContext as BlockContext
from cbtrun.contexts import Promise as Promise
from cbtrun.contexts import RunFacts as RunFacts
from cbtrun.contexts import StageContext as StageContext
from cbtrun.contexts import StageNote as StageNote
from cbtrun.contract.check import Check as Check
from cbtrun.contract.check import ServerContext as ServerContext
from cbtrun.contract.check import ServerQuestion as ServerQuestion

# Digests and seeds
from cbtrun.contract.digests import derive_seed as derive_seed
from cbtrun.contract.digests import digest as digest
from cbtrun.contract.digests import file_digest as file_digest
from cbtrun.contract.digests import tree_digest as tree_digest
from cbtrun.contract.exported import ExportContext as ExportContext
from cbtrun.contract.extras import lacking_packages as lacking_packages

# Models: what they are asked, what they answer, what else they may have
from cbtrun.contract.models import AnswerMode as AnswerMode
from cbtrun.contract.models import ChatMessage as ChatMessage
from cbtrun.contract.models import ContextRoom as ContextRoom
from cbtrun.contract.models import CountsTokens as CountsTokens
from cbtrun.contract.models import Draw as Draw
from cbtrun.contract.models import EngineShare as EngineShare
from cbtrun.contract.models import HasAnswerMode as HasAnswerMode
from cbtrun.contract.models import HasCode as HasCode
from cbtrun.contract.models import HasLanguages as HasLanguages
from cbtrun.contract.models import HasRoom as HasRoom
from cbtrun.contract.models import Model as Model
from cbtrun.contract.models import ModelContext as ModelContext
from cbtrun.contract.models import Reply as Reply
from cbtrun.contract.models import Request as Request
from cbtrun.contract.plans import TURN_TOKENS as TURN_TOKENS
from cbtrun.contract.plans import Plan as Plan
from cbtrun.contract.plans import PlanContext as PlanContext
from cbtrun.contract.plans import PlannedCalls as PlannedCalls

# Records of a study, and lists of them on disk
from cbtrun.contract.record_schema import record_schema as record_schema
from cbtrun.contract.records import Adapter as Adapter
from cbtrun.contract.records import Comparison as Comparison
from cbtrun.contract.records import Effect as Effect
from cbtrun.contract.records import Failure as Failure
from cbtrun.contract.records import FullPersona as FullPersona
from cbtrun.contract.records import Interval as Interval
from cbtrun.contract.records import ItemScore as ItemScore
from cbtrun.contract.records import Json as Json
from cbtrun.contract.records import Message as Message
from cbtrun.contract.records import Persona as Persona
from cbtrun.contract.records import Rating as Rating
from cbtrun.contract.records import Record as Record
from cbtrun.contract.records import Session as Session
from cbtrun.contract.records import Situation as Situation
from cbtrun.contract.records import Speaker as Speaker
from cbtrun.contract.records import Test as Test
from cbtrun.contract.records import Transcript as Transcript
from cbtrun.contract.records import Turn as Turn
from cbtrun.contract.sources import statements_digest as statements_digest
from cbtrun.contract.stand_in import StandIn as StandIn
from cbtrun.contract.study_blocks import Arm as Arm
from cbtrun.contract.study_view import StudyView as StudyView
from cbtrun.contract.study_view import view_of as view_of
from cbtrun.contract.thinking import Said as Said
from cbtrun.contract.thinking import opened_thinking as opened_thinking
from cbtrun.contract.thinking import without_thinking as without_thinking
from cbtrun.contract.thinking_option import thinking_room as thinking_room
from cbtrun.documents.patterns import BoundedPatterns as BoundedPatterns

# Files that people write: YAML with places, tables, patterns, templates
from cbtrun.documents.patterns import bounded as bounded
from cbtrun.documents.patterns import check_pattern as check_pattern
from cbtrun.documents.schema import schema_problems as schema_problems
from cbtrun.documents.yaml_source import Located as Located
from cbtrun.documents.yaml_source import PlaceOf as PlaceOf
from cbtrun.documents.yaml_source import read_yaml as read_yaml

# Errors, each with the words that a user can act on
from cbtrun.errors import AccessRefused as AccessRefused
from cbtrun.errors import CbtrunError as CbtrunError
from cbtrun.errors import ModelError as ModelError
from cbtrun.errors import Place as Place
from cbtrun.errors import PluginError as PluginError
from cbtrun.errors import Problem as Problem
from cbtrun.errors import RateLimited as RateLimited
from cbtrun.errors import Refusal as Refusal
from cbtrun.errors import ServerFault as ServerFault
from cbtrun.errors import ServerTrouble as ServerTrouble
from cbtrun.errors import SpecError as SpecError
from cbtrun.errors import StageError as StageError
from cbtrun.errors import StatisticsError as StatisticsError
from cbtrun.errors import StopRun as StopRun
from cbtrun.errors import WrongModel as WrongModel
from cbtrun.files.csv_cells import bare_cell as bare_cell
from cbtrun.files.csv_cells import csv_text as csv_text

# Files that cbtrun writes, and processes that it starts
from cbtrun.files.plain_files import open_plain as open_plain
from cbtrun.files.record_list import RecordList as RecordList
from cbtrun.files.record_list import packed_line as packed_line
from cbtrun.files.run_folder import RunFolder as RunFolder
from cbtrun.files.run_folder import read_records as read_records
from cbtrun.files.run_folder import write_atomically as write_atomically
from cbtrun.files.run_folder import write_lines_atomically as write_lines_atomically
from cbtrun.hookspecs import hookimpl as hookimpl

# Results
from cbtrun.humans.agree import AgreementReport as AgreementReport
from cbtrun.humans.agree import Figure as _PairwiseFigure
from cbtrun.import_path import child_environment as child_environment
from cbtrun.import_path import python_module as python_module
from cbtrun.journal.replies import KeptReply as KeptReply
from cbtrun.journal.replies import replies_about as replies_about
from cbtrun.journal.served import Served as Served
from cbtrun.journal.served import drifts as drifts
from cbtrun.journal.thoughts import Thought as Thought
from cbtrun.journal.thoughts import thinkers as thinkers
from cbtrun.journal.thoughts import thoughts_about as thoughts_about
from cbtrun.keys.addresses import server_of as server_of
from cbtrun.keys.secrets import HUB_KEYS as HUB_KEYS
from cbtrun.keys.secrets import Secret as Secret
from cbtrun.keys.secrets import environment_without_keys as environment_without_keys
from cbtrun.power.formulas import power_of_equivalence as power_of_equivalence
from cbtrun.power.formulas import power_of_f as power_of_f
from cbtrun.power.planned import GROUPS as GROUPS
from cbtrun.power.planned import PAIRS as PAIRS
from cbtrun.power.planned import PEOPLE as PEOPLE
from cbtrun.power.planned import Kind as Kind
from cbtrun.power.planned import PlannedTest as PlannedTest
from cbtrun.power.planned import PowerContext as PowerContext
from cbtrun.power.planned import equal_groups as equal_groups
from cbtrun.power.planned import planned_test as planned_test
from cbtrun.power.planned import power_between_groups as power_between_groups
from cbtrun.power.planned import power_in_pairs as power_in_pairs
from cbtrun.power.ranks import PowerAt as PowerAt
from cbtrun.power.ranks import mann_whitney_power as mann_whitney_power
from cbtrun.power.ranks import odds_power as odds_power
from cbtrun.power.ranks import wilcoxon_power as wilcoxon_power
from cbtrun.power.words import Wanted as Wanted
from cbtrun.power.words import effect_curve as effect_curve
from cbtrun.power.words import planned_alike as planned_alike
from cbtrun.power.words import size_curve as size_curve
from cbtrun.ratings.answer import AnswerForm as AnswerForm

# Rubrics and ratings
from cbtrun.ratings.answer import answer_form as answer_form
from cbtrun.ratings.answer import item_scores as item_scores
from cbtrun.ratings.answer import unscored as unscored
from cbtrun.ratings.evidence import TurnsSearched as TurnsSearched
from cbtrun.ratings.languages import spoken_in as spoken_in
from cbtrun.ratings.languages import why_unreadable as why_unreadable
from cbtrun.ratings.norms import norms_of as norms_of
from cbtrun.ratings.order import asking_place as asking_place
from cbtrun.ratings.reasons import NOT_APPLICABLE as NOT_APPLICABLE
from cbtrun.ratings.reasons import TOO_LONG as TOO_LONG
from cbtrun.ratings.reasons import reason_kind as reason_kind
from cbtrun.ratings.request import TEMPLATES as TEMPLATES
from cbtrun.ratings.request import Brief as Brief
from cbtrun.ratings.request import ShownTurn as ShownTurn
from cbtrun.ratings.request import Window as Window
from cbtrun.ratings.request import rating_brief as rating_brief
from cbtrun.ratings.request import rating_request as rating_request
from cbtrun.ratings.request import rendered_example as rendered_example
from cbtrun.ratings.request import shown_turns as shown_turns
from cbtrun.ratings.request import template_path as template_path
from cbtrun.ratings.request import transcript_length as transcript_length
from cbtrun.ratings.request import unblinding_flags as unblinding_flags
from cbtrun.ratings.request import windows as windows
from cbtrun.ratings.rubric import Item as Item
from cbtrun.ratings.rubric import Measurement as Measurement
from cbtrun.ratings.rubric import Rubric as Rubric
from cbtrun.ratings.rubric import rubric_digest as rubric_digest
from cbtrun.ratings.rubric_file import read_rubric as read_rubric
from cbtrun.ratings.rubric_signals import Carried as Carried
from cbtrun.ratings.rubric_signals import Echo as Echo
from cbtrun.ratings.rubric_signals import Phrases as Phrases
from cbtrun.ratings.rubric_signals import Ratio as Ratio
from cbtrun.ratings.rubric_signals import Repeated as Repeated
from cbtrun.ratings.rubric_signals import Signal as Signal
from cbtrun.ratings.rubric_signals import Words as Words
from cbtrun.ratings.windows import joined_scores as joined_scores
from cbtrun.ratings.windows import window_flags as window_flags
from cbtrun.reliability.records import Reliability as Reliability
from cbtrun.results.failure_groups import failure_groups as failure_groups
from cbtrun.results.groups import describe as describe
from cbtrun.results.groups import grouping_levels as grouping_levels
from cbtrun.results.groups import level_of as level_of
from cbtrun.results.nothing_scored import NothingScored as NothingScored
from cbtrun.results.nothing_scored import nothing_scored as nothing_scored
from cbtrun.results.records import GroupSummary as GroupSummary
from cbtrun.results.records import OutcomeSummary as OutcomeSummary
from cbtrun.results.records import Results as Results
from cbtrun.results.records import read_results as read_results
from cbtrun.results.records import results_in as results_in
from cbtrun.run.study_lock import lock_of as lock_of
from cbtrun.run.tombstones import FORGOTTEN as FORGOTTEN
from cbtrun.scores.rated_sets import RatedSet as RatedSet
from cbtrun.scores.score_table import ScoreTable as ScoreTable
from cbtrun.scores.totals import Aggregate as Aggregate
from cbtrun.scores.totals import rating_total as rating_total

# Statistics: numbers in, numbers and sentences out
from cbtrun.statistics import assumptions as assumptions
from cbtrun.statistics import bootstrap as bootstrap
from cbtrun.statistics import effect_sizes as effect_sizes
from cbtrun.statistics import omnibus as omnibus
from cbtrun.statistics import paired as paired
from cbtrun.statistics import two_groups as two_groups
from cbtrun.statistics.clustered import clustered_interval as clustered_interval
from cbtrun.statistics.equivalence import equivalence_of_groups as equivalence_of_groups
from cbtrun.statistics.equivalence import equivalence_of_pairs as equivalence_of_pairs
from cbtrun.statistics.factorial import Contrast as Contrast
from cbtrun.statistics.factorial import Part as Part
from cbtrun.statistics.factorial import between_contrast as between_contrast
from cbtrun.statistics.factorial import contrast_rows as contrast_rows
from cbtrun.statistics.factorial import within_contrast as within_contrast
from cbtrun.statistics.mixed import MixedFit as MixedFit
from cbtrun.statistics.mixed import departures as departures
from cbtrun.statistics.mixed import fit_mixed as fit_mixed
from cbtrun.statistics.mixed import mixed_contrast as mixed_contrast
from cbtrun.statistics.mixed import mixed_f_test as mixed_f_test
from cbtrun.statistics.ordinal import ProportionalOdds as ProportionalOdds
from cbtrun.statistics.ordinal import proportional_odds as proportional_odds
from cbtrun.statistics.paired import paired_t_test as paired_t_test
from cbtrun.statistics.samples import Sized as Sized
from cbtrun.statistics.samples import Tested as Tested
from cbtrun.statistics.sentences import all_levels_sentence as all_levels_sentence
from cbtrun.statistics.sentences import is_shown as is_shown
from cbtrun.statistics.sentences import level_names as level_names
from cbtrun.statistics.sentences import two_levels_sentence as two_levels_sentence
from cbtrun.statistics.ties import count_distinct as count_distinct
from cbtrun.statistics.two_estimates import difference_of_estimates as difference_of_estimates
from cbtrun.statistics.two_estimates import error_from_p as error_from_p
from cbtrun.statistics.wording import SESSIONS_AND_RATINGS as SESSIONS_AND_RATINGS
from cbtrun.statistics.wording import TEST_NAMES as TEST_NAMES
from cbtrun.statistics.wording import counts_text as counts_text
from cbtrun.statistics.wording import decimals_of as decimals_of
from cbtrun.statistics.wording import interval_text as interval_text
from cbtrun.statistics.wording import level_name as level_name
from cbtrun.statistics.wording import level_text as level_text
from cbtrun.statistics.wording import p_value as p_value
from cbtrun.statistics.wording import points as points
from cbtrun.statistics.wording import sessions_text as sessions_text
from cbtrun.statistics.wording import tested_text as tested_text
from cbtrun.study.overrides import find_path as find_path
from cbtrun.study.persona_sets import content_digest as content_digest
from cbtrun.study.variations import variables as variables
from cbtrun.study.variations import variation_command as variation_command
from cbtrun.tables.file_set import files_of as files_of
from cbtrun.tables.file_set import has_files as has_files
from cbtrun.tables.file_set import session_names as session_names
from cbtrun.tables.readers.spoken_lines import spoken_turns as spoken_turns
from cbtrun.tables.row import AS_FOUND as AS_FOUND
from cbtrun.tables.row import Row as _TableRow
from cbtrun.tables.row import Table as Table
from cbtrun.tables.row import Writing as Writing
from cbtrun.tables.text_file import text_of as text_of
from cbtrun.tables.transcript_table import read_table as read_table
from cbtrun.tables.transcript_table import told as told
from cbtrun.templates.chat import ChatTemplateLimit as ChatTemplateLimit
from cbtrun.templates.chat import RenderedChat as RenderedChat
from cbtrun.templates.chat import rendered_chat as rendered_chat
from cbtrun.templates.chat import template_variables as template_variables
from cbtrun.templates.prompts import filled as filled
from cbtrun.templates.prompts import static_faults as static_faults
from cbtrun.templates.prompts import template_faults as template_faults
from cbtrun.templates.prompts import used_variables as used_variables

ServerAnswer = _ServerAnswer
PairwiseFigure = _PairwiseFigure
TableRow = _TableRow
HOMES: Mapping[str, str]

def home_of(name: str) -> str | None: ...
