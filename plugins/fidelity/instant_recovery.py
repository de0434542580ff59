"""Instant recovery: a patient who is suddenly well, as no patient is within a session."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugins.fidelity.finding import Case, Check, Finding, spoken_sentences, straight

WHOLLY = r"(?:completely|totally|fully|perfectly|absolutely|entirely|100 ?%|(?:a|one) hundred percent)"
WELL = r"(?:better|fine|healed|cured|recovered|well|happy|good|okay|great|free|myself again|new)"
ILLS = r"(?:sadness|depression|anxiety|worr(?:y|ies)|guilt|pain|problems?|troubles?|fears?|negative thoughts?|bad thoughts?|symptoms?|hopelessness|shame|emptiness|heaviness|darkness|negativity)"
GONE = r"(?:gone|vanished|disappeared|over|lifted|melted away|fallen away|left me|solved|evaporated|behind me)"

# Patterns stay texts until a session is checked: compiling them takes longer than reading a study.
WELL_NOW = (
    rf"\b(?:i(?:'m| am| feel)|everything(?:'s| is)|it(?:'s| is)) (?:now |just |already |so )*{WHOLLY} {WELL}\b"
    rf"|\b(?:my|the|all(?: of)?(?: my| the)?) (?:\w+ )?{ILLS}\b[^.!?]{{0,40}}?\b(?:is|are|has|have|was|were)(?: all| now| just| completely| totally)* {GONE}\b"
    rf"|\b(?:it's|it is|they're|they are) all {GONE}\b"
    r"|\byou(?:'ve| have)?(?: just| really| completely| totally)? (?:cured|healed|fixed|saved) (?:me|my|what|everything)\b"
    r"|\byou(?:'ve| have)?(?: just| really)? (?:solved|fixed) (?:all |everything|my |it all)"
    rf"|\bi(?: do)?(?:n't| no longer| not) (?:feel|have|am|'m)?\b[^.!?]{{0,12}}?(?:depressed|sad|hopeless|worthless|anxious|any of those|any (?:more )?{ILLS})\b[^.!?]{{0,40}}\b(?:at all|any ?more|any longer)\b"
    r"|\bi(?:'m| am) (?:no longer|not) (?:feeling )?(?:at all )?(?:depressed|sad|hopeless|worthless|anxious|a failure)\b[^.!?]{0,12}(?:at all|any ?more|$|[.,!])"
    rf"|\bi (?:no longer feel|don't feel) (?:depressed|sad|hopeless|worthless|anxious|any {ILLS})\b"
    rf"|\bi (?:have|'ve got|have got) no (?:more )?(?:\w+ )?{ILLS}(?: left)?(?: at all)?(?=[.,!]| left| any| at all)"
    r"|\bi(?:'m| am| feel) (?:so |absolutely |totally |just )*(?:amazing|fantastic|wonderful|ecstatic|on top of the world|like a new (?:person|man|woman)|over the moon|reborn)\b"
    r"|\bready to take on the world\b|\bi(?:'m| am) (?:so )?(?:over it,? all|excited about my life|full of (?:energy|joy|hope))\b"
    r"|\bfull of (?:hope and )?(?:joy|energy)\b|\bi(?:'ve| have) never (?:felt|been) (?:better|happier|so (?:good|happy))\b"
    r"|\bthat(?: one)? (?:\w+ )?changed (?:everything|my (?:whole )?life)\b|\bi(?:'m| am) happy again\b"
    r"|\bi (?:fully|completely|totally) (?:believe in|love|accept) myself\b|\bi love myself (?:fully|completely|totally)\b"
    r"|\b(?:problem|problems) solved\b|\b(?:it's|it is) like magic\b|\bwon't need (?:any more|another|more|these|therapy)\b|\bnever feel that way again\b"
    r"|\bi(?:'m| am)(?: now| so| completely| totally| fully)* (?:cured|healed|recovered)\b"
)
NOT_NOW = (
    r"\b(?:if|wish|want|hope|hoped|would|used to|pretend\w*|tell|telling|tells|say|said|says|saying|act|when (?:i|he|she|they)|until|supposed|should|could|maybe one day|some day|as if|like when|there are (?:days|moments)|sometimes|last|never thought|everyone thinks|people think|they think|he thinks|she thinks|told)\b"
    r"|\?"
)
RATED = r"\b(?:was|were|at|from) (?:a |an )?(?P<before>zero|one|two|three|[0-3])\b[^.!?]*\b(?:now|to|it's|is)(?: it(?:'s| is))? (?:now )?(?:at )?(?:a |an )?(?P<now>nine|ten|9|10)\b"


def _find(case: Case) -> Iterator[Finding]:
    for number, text in case.of("patient"):
        for sentence in spoken_sentences(straight(text)):
            if recovered(sentence):
                yield Finding("instant_recovery", "patient", number, sentence)
                break


def recovered(sentence: str) -> bool:
    """Whether a sentence says that all is well now; wishes, memories, others' words and questions say no such thing."""
    lowered = sentence.lower()
    found = re.search(WELL_NOW, lowered)
    if found and not re.search(NOT_NOW, lowered[: found.end()]) and not lowered.endswith("?"):
        return True
    return re.search(RATED, lowered) is not None


CHECK = Check(
    name="instant_recovery",
    measures="sentences that say that everything is well now: cured, gone, never better; a mood up from 0-3 to 9-10",
    threshold="one such sentence that is no wish, memory, question or quotation",
    find=_find,
)
