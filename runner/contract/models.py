"""What a model is to the rest of cbtrun: one coroutine from a request to a reply.

A tiny model on this laptop, vLLM with adapters and a paid API all look like this. Concurrency, retries,
limits and the journal are put around `reply` by the runner, never inside a plugin.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from cbtrun.keys.secrets import KeyRing

if TYPE_CHECKING:
    from cbtrun.contract.workplace import Workplace

Role = Literal["system", "user", "assistant"]
AnswerMode = Literal["JSON", "TOOLS", "JSON_SCHEMA"]
"""How a structured answer is given: JSON text, arguments of a tool call, or text that the server holds to the schema."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message as a model sees it: the model itself is always `assistant`."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Draw:
    """Whose draw a call is. Two patients whose first message is the same are two draws; an arm's name is no part of it."""

    role: str
    """`author`, `therapist`, `patient` or `rater`."""
    subject: str
    """Digest of the persona or session that the call is about."""
    repeat: int = 1
    turn: int = 0
    item: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that decides a reply, besides the model itself."""

    messages: tuple[ChatMessage, ...]
    draw: Draw
    max_tokens: int | None = None
    """Upper bound of new tokens; none leaves it to the model's own option."""
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    """JSON Schema that the answer should follow, for models that can be constrained."""
    mode: AnswerMode | None = None
    """How the answer to `schema` is to be given; none leaves it to the model."""
    seed: int = 0
    """Derived from the study's seed and the draw by the runner; a model that samples uses it."""
    shared: int = 0
    """Characters at the head of the first user message that thousands of requests have in common: a vendor whose cache wants
    to be told how far is told so. No part of the journal's key."""
    label: str = ""
    """Whom retries are counted for, such as an arm. Never sent, and no part of the journal's key."""
    about: str = ""
    """Id of the session, persona or transcript whose words it holds, so that `cbtrun forget` finds the reply. Never sent,
    and no part of the journal's key."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    finish: str = "stop"
    """`stop`, `length`, `filter` ... in the words of OpenAI's chat completions."""
    usd: float | None = None
    """Cost in US dollars as the provider reports it, or by the prices in the study; none when neither is known."""
    served: str = ""
    """The model that answered, in the server's own words."""
    thinking: str = ""
    """What it thought before it spoke, where that is shown: kept in the journal, heard by nobody, counted in `tokens_out`.
    Thinking that is marked in `text` need not be taken out by a plugin: that is done for all models in one place."""
    cached: int = 0
    """Tokens of `tokens_in` that the server had in its cache."""
    written: int = 0
    """Tokens of `tokens_in` that the server put into its cache, where it counts them apart."""
    thought: int = 0
    """Tokens of `tokens_out` that were thinking, where the server counts them apart."""
    bought: str = ""
    """How: `batch`, or empty for a call by itself."""
    fingerprint: str = ""
    """What the server states of the weights, settings or build that answered (`system_fingerprint`): with `served` it tells
    whether a model stayed the same while the study ran."""


class Model(Protocol):
    """What a model plugin's `open_model` gives.

    What else a model may have is said by a protocol each: CountsTokens, HasAnswerMode, HasCode, HasLanguages, HasRoom,
    TellsRoles, and for a model behind a server HasTerms (calls/server_terms.py).
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """All that decides an answer and is not in the request: name, revision, adapter digest, sampling options.

        Part of the journal's key. Must hold no secret and no name that the study gave.
        """

    async def reply(self, request: Request) -> Reply:
        """The model's answer. Raises ModelError when asking again cannot help, ServerTrouble when it may."""

    async def close(self) -> None:
        """Give back what it holds: memory, connections, processes."""


@runtime_checkable
class CountsTokens(Protocol):
    """A model that can say how long a prompt is; for others it is estimated from the text."""

    def count_tokens(self, messages: Sequence[ChatMessage]) -> int:
        """Tokens of a prompt, as the model reads it."""


@runtime_checkable
class HasAnswerMode(Protocol):
    """A model whose own way of giving structured answers wins over a rating set's."""

    @property
    def answer_mode(self) -> AnswerMode | None:
        """The way; none leaves it to the rating set."""


@runtime_checkable
class HasCode(Protocol):
    """A model that answers in this process, by code of its plugin: a change of it is told, and redone when asked for."""

    @property
    def code(self) -> str:
        """Digest of that code."""


@runtime_checkable
class HasLanguages(Protocol):
    """A model that reads some languages alone: a session in another one is left unscored by it, with that reason."""

    @property
    def languages(self) -> Sequence[str]:
        """Codes of ISO 639 (`en`); none at all means any."""


@runtime_checkable
class HasRoom(Protocol):
    """A model that keeps dialogues in memory: no more sessions are begun than fit (plugins/dialogue/admission.py)."""

    @property
    def room(self) -> ContextRoom | None:
        """The memory, shared by the models of one engine."""


@runtime_checkable
class TellsRoles(Protocol):
    """A model behind a server whose template may refuse some roles: `cbtrun doctor --online` asks which."""

    async def roles(self) -> str:
        """What the server takes, in words, by one call of a few tokens. Raises CbtrunError or ServerTrouble."""


@dataclass(eq=False)
class ContextRoom:
    """How much of its dialogues a model keeps in memory from turn to turn. Models that share a memory share this object."""

    tokens: int | None = None
    """Tokens of all dialogues together; none while nobody knows, which is until the model has made its first reply."""
    replicas: list[ContextRoom] = field(default_factory=list)
    """The memories of its own of each engine, where several serve the model: a session is kept in one of them."""


@dataclass(frozen=True)
class Takes:
    """What one replica of a model takes of a machine."""

    gpus: int = 0
    cpus: float = 0.1
    folders: Mapping[str, Any] = field(default_factory=dict)
    """Name -> `SentFolder` that it must have there, such as an adapter."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that say there what the study's say here: a folder by its whole path."""


@runtime_checkable
class HasTakes(Protocol):
    """A model that may run whole on another machine, and takes more there than a program of a few lines."""

    @property
    def takes(self) -> Takes:
        """What a replica of it takes."""


@dataclass(frozen=True)
class EngineShare:
    """What has to be open for a model, where opening it takes long and fills memory."""

    key: str
    """The same for models that one engine serves."""
    memory: float
    """Share of the memory that it takes, 0 to 1: engines whose shares come to at most 1 are open at once."""
    gpus: int = 1
    """GPUs that one of it runs on, where there are several machines."""


@dataclass(frozen=True)
class TunedAdapter:
    """An adapter that the study has tuned."""

    folder: str
    base: Mapping[str, Any]
    """Options of the block under `models` that it was tuned on."""


@dataclass(frozen=True)
class ModelContext:
    """What a model plugin is given to open a model."""

    name: str
    """Name in the study's `models`; not to be part of the model's identity."""
    options: Mapping[str, Any]
    """The block of the study, defaults filled in."""
    rubrics: Mapping[str, Any] = field(default_factory=dict)
    """The study's rubrics by digest, for embedded raters."""
    adapter: str | None = None
    """Folder of a LoRA adapter to load on top."""
    adapter_digest: str | None = None
    keys: KeyRing = field(default_factory=KeyRing)
    """Where keys come from, and which host each may go to."""
    adapters: Sequence[TunedAdapter] = ()
    """All that the study has tuned so far, for an engine that has to make room for them when it opens."""
    shared: MutableMapping[str, Any] = field(default_factory=dict)
    """What the models of one run share, such as an engine; a plugin puts it there under a key of its own."""
    workplace: Workplace | None = None
    """The machines that its replies are made on; none where that is this one. What is opened here then loads no weights."""
