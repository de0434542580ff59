"""What a patient takes a therapist's turn for: which question it is, or a mirror, comfort, advice, or no sense at all.

A listener's ear and nothing more: it tells what to answer, and judges nobody.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cbtrun.plugins.persona_material import sentences
from cbtrun.plugins.phrasing import read_rules

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("risk", r"suicid|kill(ing)? yourself|end(ing)? (your|it all|things)\b|hurt(ing)? yourself|harm(ing)? yourself"
             r"|not (be|being) alive|want to die|better off dead"),
    ("feedback", r"how (was|did you find|has) (today|this|our|the) (\w+ )?(session|hour|talk|for you)?.*(for you|session|hour)"
                 r"|feedback|(helpful|useful) (today|and|about)|what was (helpful|useful)|do(ne)? differently next"
                 r"|missing the point|got wrong|felt misunderstood|work together today|too fast"),
    ("summary", r"sum (it |that |this |up|today)|summar|tak(e|ing) (away|home|with you) from|in a nutshell|main (thing|point)s?"
                r" (from|of|you)|remember (from|on a bad)|card from today|like to remember|one line about today"),
    ("review", r"(did you (get|manage|try|do|have)|how did (you|that|it) (get|go|work)|get on with).*(homework|exercise|plan"
               r"|task|last (week|time)|as we)|your homework[:,?]|(the )?plan was to|on your sheet|you wanted to|we('d| had) agreed|you were going to|last week you (were|planned)"),
    ("questions", r"(do|did) you have (any|a|some|more)? ?questions?|any(thing)? (questions|you('d| would) like to ask)|unclear"),
    ("last_time", r"(last (week|session)|last time(?! you)|our last|previous session).*\?"),
    ("homework", r"homework|how likely is it that you'll get|agree on a task|the coming week|before (we meet|next|our next)|between now and|would you be (willing|able|up)|(this|the coming)"
                 r" week,? (i'd|could|would|try|let)|try (this|it|that|out|one|to) .*(week|home|day)|at home|take (home|away)"
                 r"|write (it |that |this )?down|keep a (note|diary|list)|practi[sc]e"),
    ("rating", r"(zero|nought|0|one|1) (to|and) (ten|10)|out of (ten|10)|on a scale|barometer|number.*mood|rate your|up to ten|mood.*number"),
    ("percent", r"percent|per cent|zero to a hundred|0 to 100|out of (a |one )?hundred|how (much|far|strongly|sure|convinced)"
                r" (do|did|are|were) you"),
    ("agenda", r"agenda|on (the|our) list|what (shall|should|would you like|do you want) .*(talk|focus|work on|put|cover|discuss"
               r"|get to|dealt)|use (our|the) (time|hour)|(talk|work|focus)[a-z ]* (about|on) today|plan our|most (pressing|urgent)"
               r"|matters most|one thing today|would you like to talk|want to have talked"),
    ("friend", r"(friend|someone|somebody|sister|child)\b.*(told you|said|say to|in the same|your place|tell (him|her|them))"
               r"|what would you (say|tell) (to )?(a|them|him|her|someone)\b"),
    ("against", r"against|does(n't| not) fit|not (be )?true|other side|contradict|exception|leave[s]? out|opposite|defen[cs]e"),
    ("for", r"evidence|proof|prove|what makes you (think|believe|say|so)|speaks for|fact|support (that|this|the)|how do you know"),
    ("alternative", r"(another|other|different|new|kinder|fairer|balanced|realistic|helpful) (way|sentence|thought|explanation"
                    r"|view|look|perspective|side)|look at it differently|see it differently|more balanced|both columns"
                    r"|fair to you|instead of that"),
    ("prediction", r"predict|forecast|what (do you think )?(will|would|might|could) happen|worst that|afraid (of|would|will|might)"),
    ("core", r"say[s]? about you|at the (very )?bottom|deep down|one floor deeper|believe about yourself|kind of person"),
    ("meaning", r"what (would|does|did) (that|it|this) mean|mean (about|to) you|so bad about|rule (behind|is)|is there a rule"),
    ("origin", r"where (might|did|do) you (have )?learn|how far back|childhood|growing up|when you were (a child|young|little)"
               r"|your (parents|past|family)\b|first (believe|feel|notice)|where does (that|it) come from|back in time"),
    ("thought", r"(going|go|went|goes|running) through your (mind|head)|(tell|told|tells|say|said|saying) (to )?yourself"
                r"|what (were|did|was|do) you think|thought|your mind (say|said|make|made)|screen in your head|thinking"),
    ("feeling", r"what did you feel|how (did|does|do) (that|it|you|this) (make you )?(feel|leave|sit)|feeling|emotion|in your body"
                r"|what('s| is| was) that like|what was it like"),
    ("symptom", r"sleep|appetite|eating|energy|concentrat|symptom|tired|nights"),
    ("when", r"which day|what (day|time)|when (exactly|would|could|will) you|calendar|diary|when suits"),
    ("obstacle", r"get in the way|stop you|how likely|obstacle|trip you|hard(er)? to (do|start)|what could go wrong"),
    ("signs", r"warning|first sign|early sign|slid(e|ing) back|relapse|come back again"),
    ("gains", r"what('s| has| is) (changed|different|better|improved)|have you learn|you('ve| have) learn|look(ing)? back"),
    ("pleasure", r"enjoy|pleasure|used to (like|love|do|enjoy)|fun\b|hobb|good at|proud|makes you happy|lift(s|ed)? your"
                 r"|a bit better|good day|comfort you"),
    ("activity", r"what (about|if you)|how about|could you (try|do|imagine|plan)|plan something|small step|first step|choose one"
                 r"|experiment|find out|next step"),
    ("options", r"what could you do|brainstorm|ideas|solve|options|ways out"),
    ("coping", r"what (helps|helped|has helped|would help|do you need)|cope|coping|get through"),
    ("stopped", r"what (do|did) you do (then|next|after|when|about)|avoid|stopped doing|what did you do"),
    ("goal", r"goal|like to (change|be different|see|happen|achieve|be able)|hope|want (from|to be|to change|most)|wish|long for"
             r"|in (three|six) months|miracle|what do you want"),
    ("who", r"who (was|is|else|do you|could|knows)|anyone (you|there|else)|support|friends\b|talk(ed)? to (anyone|someone)|alone"),
    ("problem", r"brings you|brought you|what is it that|what('s| is| has been) (going on|happening|troubling|wrong|the matter"
                r"|the problem|hardest|bothering|difficult)|hard(est)? (for you|thing)|weigh(s|ing)? on|on your (mind|heart)"),
    ("event", r"what happened|(an )?example|tell me about|walk me|take me|situation|moment|when was the last|describe|scene"
              r"|what was going on|where were you|one time|recent example|just happened"),
    ("day", r"yesterday|typical day|your (day|days|week|weekend|morning)|how was the week|lately|recently"),
    ("hello", r"how are (you|things)|how have you been|how do you feel today|how is it going|how are you (doing|feeling)"
              r"|how('s| is) (it|everything)|^(hello|hi|welcome|good (morning|afternoon|evening))\b"),
)  # fmt: skip
"""Kind of question -> what gives it away, the more telling first."""

FAREWELL = re.compile(
    r"\b(good-?bye|bye|take care|see you (next|then|soon|later|again)|until (next|then)|farewell|next week then"
    r"|our time is (up|over)|that's our time|(we|let's) stop here)\b",
    re.IGNORECASE,
)
ADVICE = re.compile(
    r"\b(you should|you ought|you (need|have) to|you must|why don't you|have you tried|just (try|think|be|do|go|stop|relax)"
    r"|try to|cheer up|think positive|stop (thinking|worrying)|i('d| would) (advise|suggest|recommend)|my advice|don't worry)\b",
    re.IGNORECASE,
)
COMFORT = re.compile(
    r"\b(sorry|must (be|have been)|makes sense|understand(able)?|no wonder|thank you for|thanks for|brave|courage|of course"
    r"|i hear|sounds (very |really |so )?(hard|painful|heavy|difficult|tough|lonely)|glad (you|that)|not alone|here with you"
    r"|a lot to|all right to|take your time|i('m| am) listening|well done|i can (hear|see|feel))\b",
    re.IGNORECASE,
)
OPEN = re.compile(r"^(what|how|why|where|when|which|who)\b", re.IGNORECASE)
INVITES = re.compile(
    r"^(tell|describe|say|go on|pick|walk|take me|give me|imagine|picture|think back|please|i'd (like|be glad) to hear)\b",
    re.IGNORECASE,
)

_DULL = frozenset({
    "a", "about", "after", "again", "all", "also", "always", "am", "an", "and", "any", "anything", "are", "as",
    "at", "be", "because", "been", "before", "being", "but", "by", "came", "can", "come", "could", "day", "did",
    "do", "does", "doing", "don't", "done", "each", "else", "even", "ever", "every", "everything", "feel",
    "feeling", "felt", "for", "from", "get", "getting", "go", "going", "good", "got", "had", "has", "have", "he",
    "hear", "her", "here", "him", "his", "how", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "into", "is", "it",
    "it's", "its", "just", "know", "let", "like", "little", "look", "lot", "made", "make", "makes", "many", "may",
    "maybe", "me", "mean", "might", "mind", "more", "most", "much", "must", "my", "no", "not", "nothing", "now",
    "of", "off", "often", "on", "once", "one", "only", "or", "other", "our", "out", "over", "own", "part", "people",
    "perhaps", "put", "quite", "rather", "really", "right", "said", "same", "say", "see", "seem", "seems", "she",
    "should", "so", "some", "somebody", "someone", "something", "sometimes", "sort", "sound", "sounds", "still",
    "such", "take", "tell", "than", "that", "that's", "the", "their", "them", "then", "there", "these", "they",
    "thing", "things", "think", "thinking", "this", "those", "thought", "through", "time", "to", "today", "told",
    "too", "two", "up", "us", "very", "want", "was", "way", "we", "week", "well", "went", "were", "what", "when",
    "where", "which", "while", "who", "why", "will", "with", "would", "yes", "yet", "you", "you'd", "you'll",
    "you're", "you've", "your", "yourself",
})  # fmt: skip
"""Words that everybody uses: sharing them says nothing."""


@dataclass(frozen=True)
class Heard:
    """How a turn of the therapist came across."""

    question: str = ""
    """A kind of QUESTIONS, `open`, `closed`, or empty when nothing was asked."""
    farewell: bool = False
    advice: bool = False
    comfort: bool = False
    mirror: bool = False
    """Says back what the patient has told."""
    mistaken: bool = False
    """Says back what the patient never told."""
    senseless: bool = False
    repeated: bool = False
    """The same as an earlier turn of the therapist, or nearly."""


def hear(turn: str, earlier: Sequence[str], own: str, world: str) -> Heard:
    """How a turn comes across.

    earlier: the therapist's turns before it; own: all that the patient has said; world: all that belongs to its life.
    """
    if senseless(turn, own + " " + world):
        return Heard(senseless=True)
    said, statements = _asked(turn)
    told, life = content_words(own), content_words(world) | content_words(own)
    back = content_words(_said_back(statements))
    mine = f"{own} {world}".lower()
    return Heard(
        question=_question(said, turn),
        farewell=bool(FAREWELL.search(turn)) and not _still_asks(turn),
        advice=bool(ADVICE.search(turn)),
        comfort=bool(COMFORT.search(turn)),
        mirror=len(content_words(statements) & told) >= 2,
        mistaken=(len(back) >= 2 and len(back & life) * 4 < len(back)) or _misquotes(turn, mine),
        repeated=any(alike(turn, other) > 0.75 for other in earlier),
    )


def _asked(turn: str) -> tuple[str, str]:
    """What is asked (the last question, or the last sentence that invites), and the rest of the turn."""
    parts = [part for part in sentences(turn) if part]
    asks = [n for n, part in enumerate(parts) if part.rstrip('"').endswith("?") or INVITES.match(part)]
    if not asks:
        return "", turn
    first = asks[-2] if len(asks) > 1 and asks[-1] - asks[-2] == 1 else asks[-1]
    return " ".join(parts[first : asks[-1] + 1]), " ".join(part for n, part in enumerate(parts) if n not in asks)


def _question(asked: str, turn: str) -> str:
    """The kind of what is asked; when the question alone does not tell, the rest of the turn may."""
    if not asked:
        return ""
    return _kind(asked) or _kind(turn) or ("open" if _opens(sentences(asked)[-1]) else "closed")


def _opens(sentence: str) -> bool:
    return bool(OPEN.match(sentence) or INVITES.match(sentence))


def _kind(words: str) -> str:
    lowered = words.lower()
    return next((kind for kind, pattern in QUESTIONS if re.search(pattern, lowered)), "")


def _still_asks(turn: str) -> bool:
    return turn.rstrip().endswith("?")


def _said_back(statements: str) -> str:
    """What is put to the patient as its own: quotations, and clauses with "you" and a past."""
    quotes = re.findall(r'"([^"]{6,})"', statements)
    clauses = re.findall(
        r"\b(?:so|when|because|that) (you(?:r \w+)? \w+(?:ed|t|w|d|ent)\b[^.,;?!]*)", statements, re.IGNORECASE
    )
    return " ".join([*quotes, *clauses])


def _misquotes(turn: str, mine: str) -> bool:
    """Whether words are put in quotation marks as the patient's own that are nothing like anything it has said."""
    if not re.search(
        r"\b(you (say|said|thought|think|told|believe)|your? (thought|words)|the thought)\b", turn, re.IGNORECASE
    ):
        return False
    quotes = [quote for quote in re.findall(r'"([^"]+)"', turn.lower()) if len(quote.split()) >= 3]
    return any(
        quote.rstrip(".!?,") not in mine and all(alike(quote, one) < 0.5 for one in re.split(r'[.!?"]', mine))
        for quote in quotes
    )


def senseless(turn: str, known: str) -> bool:
    """Whether a turn is no speech: next to nothing, stuck in a loop, or mostly words that nobody knows."""
    words = re.findall(r"[a-z']+", turn.lower())
    if len(words) < 2:
        return not re.fullmatch(
            r"(mm+|hm+|yes|okay|right|hello|hi|and|so|why|really|go on|bye|goodbye)", " ".join(words)
        )
    threes = Counter(zip(words, words[1:], words[2:], strict=False))
    if len(words) >= 9 and max(threes.values(), default=0) >= 3:
        return True
    if len(words) >= 9 and sum(word in _DULL for word in words) < 0.15 * len(words):
        return True  # spoken language is held together by small words
    stutters = sum(one == two for one, two in zip(words, words[1:], strict=False))
    if stutters >= 2 and stutters * 8 >= len(words):
        return True
    strange = sum(word not in vocabulary() and word not in _words_of(known) for word in words)
    return strange > max(1, 0.6 * len(words))


def alike(one: str, other: str) -> float:
    """Share of words that two turns have in common, 0 to 1."""
    first, second = set(re.findall(r"[a-z']+", one.lower())), set(re.findall(r"[a-z']+", other.lower()))
    return len(first & second) / max(1, len(first | second))


@lru_cache(maxsize=256)
def content_words(text: str) -> frozenset[str]:
    """The words of a text that say something, endings cut so that "walked" and "walks" meet."""
    words = re.findall(r"[a-z']+", text.lower())
    return frozenset(re.sub(r"(ing|ed|es|s|'s)$", "", word) for word in words if len(word) > 2 and word not in _DULL)


@lru_cache(maxsize=64)
def _words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z']+", text.lower()))


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """Words that a patient understands: those of all shipped words and life stories, and everyday ones."""
    here = Path(__file__).parent
    folders = [here / name for name in ("grammar_cbt", "grammar_supportive", "patient_words")]
    texts = [text for folder in folders for rule in read_rules(folder).values() for text in rule]
    return frozenset(re.findall(r"[a-z']+", " ".join(texts).lower())) | _DULL
