"""Role swap: the patient takes the therapist's part, or the therapist the patient's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cbtrun.plugin import Speaker
from cbtrun.plugins.fidelity.finding import Case, Check, Finding, spoken_sentences, straight

FEELS = r"(?:feel(?:ing|ings|s)?|felt|mind|thoughts?|thinking|mood|emotions?|body)"
LABEL = {"patient": r"^\W*(?:therapist|counsell?or|clinician)\s*:", "therapist": r"^\W*(?:patient|client)\s*:"}
"""A line that begins with the other speaker's name: who speaks both parts writes them as a script."""

OF_THERAPISTS = {
    r"\bas (?:your|a) (?:therapist|counsell?or|clinician)\b": 2,
    r"\bwhat(?:'s| has| is|'d| would)? (?:brings?|brought|bringing) you\b": 2,
    r"\bhow (?:does|did|do|would|might) (?:that|it|this|these|those)\b.* (?:make|leave) you\b": 2,
    r"\bhow (?:have|has|are|were|did) you(?:r \w+)? (?:been|feel)(?:ing)?\b(?!.*\b(?:before|about me)\b).*\?": 2,
    rf"\bwhat (?:\w+ ){{0,2}}(?:goes|went|was going|is going|comes?|came|were|are you|'s going)\b.*\b(?:your mind|up for you|thoughts?|up when you|you thinking|you feeling|your {FEELS})\b.*\?": 2,
    r"\b(?:what|which|where) (?:would|do|could) you (?:like|want|prefer) (?:us )?to (?:work|talk|focus|start|begin|discuss|explore|look|bring|put)\b": 2,
    r"\b(?:set|setting|make|agree on) (?:an|the|our) agenda\b": 2,
    r"\b(?:for|as) (?:your )?(?:homework|practice)(?: this week)?,? (?:i|you|let's|could|would)\b": 2,
    r"\bi(?:'d| would) (?:like|love|want|encourage|invite|suggest|ask) (?:for )?(?:you|us) to\b": 2,
    r"\bi (?:want to |'d like to )?(?:invite|encourage) you\b": 2,
    r"\bthank(?:s| you) for (?:sharing|telling me|being (?:so )?(?:open|honest)|trusting me)\b": 2,
    r"\bi(?:'m| am) (?:really |so |very )?(?:glad|sorry|grateful|pleased|proud)\b.* you (?:told|shared|could|are going|'re going|have been|were able)\b": 2,
    r"\b(?:it|that) (?:sounds|seems|must (?:be|feel|have)|looks)\b.*\b(?:you|your|you're|you've|for you)\b": 2,
    r"\bi (?:can )?(?:hear|see|sense|notice|understand) (?:how|that|you|what|the)\b.*\b(?:you|your|you're|you've|for you)\b(?! (?:mean|say|said|want|are saying|'re saying|think))": 2,
    r"\byou(?:'re| are) (?:being )?(?:very|really|so|quite|too) (?:hard|tough|harsh) on yourself\b": 2,
    r"\bwhat would you (?:say|tell) (?:to )?(?:a|your|another) (?:\w+ )?friend\b": 2,
    r"\b(?:can|could|would|will) you (?:please )?(?:tell|say|share|describe|walk|give|help) (?:me|us|a bit|a little|more)\b.*\b(?:more|about|through|example|understand|when|how|what)\b": 1,
    r"\btell me (?:more|a (?:bit|little)|about)\b": 1,
    r"\bon a scale\b.*\byou\b|\b(?:scale|from) (?:of |from )?(?:0|zero|1|one) to (?:10|ten|100|a hundred)\b.*\b(?:you|your|how)\b|\bhow (?:strongly|much|confident|likely|sure)\b.*\b(?:do|are|would) you\b.*\?": 2,
    r"\bevidence\b.*\b(?:you|your|that thought|against|for it|for that)\b.*\?|\blook at the evidence\b|\bwhat (?:evidence )?speaks (?:against|for)\b.*\?": 2,
    r"\b(?:more )?(?:balanced|realistic|helpful|another|different|alternative) (?:way|thought|view|perspective)\b.*\?": 2,
    r"^(?:that(?:'s| is) |what )?(?:an? |really |very |such )*(?:great|good|wonderful|important|powerful) (?:insight|work|job|progress|observation)\b": 2,
    r"\bprogress (?:that )?you(?:'ve| have)\b|\byou(?:'ve| have)? (?:did|done|made|been doing) (?:really |very |so )?(?:well|great|good|progress)\b": 2,
    r"\bi(?:'m| am) here (?:to|for) (?:listen|help|support|you)\b|\bmy (?:job|role) (?:here )?is to\b": 2,
    r"\btake (?:all )?(?:your time|the time you need|a (?:deep )?breath)\b": 1,
    r"\b(?:let's|shall we|let us|we (?:can|could|might)|why don't we) (?:\w+ )?(?:explore|look at|examine|work on|set an?|focus on your|break (?:it|this) down|challenge)\b": 2,
    r"\bwhat (?:did you|have you) (?:learn|notice|take)\w*\b.*\?|\bhow did (?:you (?:do|get on|manage)|the homework|it go)\b.*\?": 2,
    r"\bone (?:small |little )?(?:thing|step) (?:that )?you (?:could|can|might)\b": 2,
    r"\b(?:see|meet|spoke|speak|met|saw) you\b.*\blast (?:time|week|session)\b.*\?|\bsince (?:we|i) last\b.*\?": 2,
    r"\b(?:welcome|before we (?:begin|start))\b": 1,
}
"""Words of therapists -> how much they weigh; two together are a role swap."""

OF_PATIENTS = {
    r"\bi(?:'ve| have) been (?:feeling )?(?:so |very |really )?(?:low|down|depressed|sad|anxious|hopeless|crying|worthless)\b": 2,
    r"\bi (?:just |always )?feel (?:so |like |very |really )?(?:a )?(?:worthless|hopeless|useless|empty|failure|like a failure|burden)\b": 2,
    r"\bi (?:can't|cannot|couldn't|don't) (?:sleep|eat|get out of bed|get up|concentrate|cope|go on)\b": 2,
    r"\b(?:why i|i) (?:bother(?:ed)? )?(?:com(?:e|ing)|came) to (?:see you|therapy|you)\b|\bi came (?:here )?because\b": 2,
    r"\bcan you help me\b|\bi need your help\b": 2,
    r"\bi (?:stayed|lay|spent \w+ days?) in bed\b|\bi cried\b": 1,
    r"\b(?:thanks|thank you|hello|yes|no),? (?:for \w+,? )?(?:doctor|doc)\b": 2,
    r"\bmy (?:wife|husband|partner|mother|mum|boss|therapist|doctor) (?:says|said|thinks|wants|told)\b": 1,
    r"\bmy (?:week|mood|sleep|day) (?:was|has been|is)\b": 1,
}
"""First-person words of patients, weighed the same."""

NOT_IF = re.compile(
    r"\b(?:my (?:mum|mother|friend|boss|sister|brother|wife|husband|partner|doctor|dad|father)\b.*\b(?:says?|said|asks?|asked|tells?|told)"
    r"|(?:he|she|they|people|everyone|everybody|somebody) (?:says?|said|asks?|asked|tells?|told)|you (?:said|asked|told))\b",
    re.IGNORECASE,
)
"""Somebody else's words are told, not said."""


def _find(case: Case) -> Iterator[Finding]:
    for speaker, words in (("patient", OF_THERAPISTS), ("therapist", OF_PATIENTS)):
        yield from _swapped(case, speaker, words)  # type: ignore[arg-type]  # the two literals


def _swapped(case: Case, speaker: Speaker, words: dict[str, int]) -> Iterator[Finding]:
    for number, text in case.of(speaker):
        weights = {part: weigh(part, words) for part in spoken_sentences(straight(text))}
        heaviest = max(weights, key=weights.__getitem__, default="")
        if re.search(LABEL[speaker], text, re.IGNORECASE | re.MULTILINE):
            yield Finding("role_swap", speaker, number, text)
        elif max(weights.values(), default=0) >= 2 and sum(weights.values()) >= _needed(text):
            yield Finding("role_swap", speaker, number, heaviest)


def weigh(sentence: str, words: dict[str, int]) -> int:
    """What the other part's words in a sentence weigh together, at most 2; nothing where they are quoted or told."""
    said = re.sub(r'"[^"]*("|$)', " ", sentence)
    if NOT_IF.search(said):
        return 0
    return min(2, sum(weight for pattern, weight in words.items() if re.search(pattern, said, re.IGNORECASE)))


def _needed(text: str) -> float:
    """Two in a turn of up to 40 words; in a long turn more, so that one sentence of politeness is no swap."""
    return 2 if len(text.split()) <= 40 else 3


CHECK = Check(
    name="role_swap",
    measures="phrases of the other part (therapists' questions and mirrors; patients' first-person complaints), weighed",
    threshold="weight 2 in a turn (3 where it has over 40 words), or a turn labelled with the other speaker's name",
    find=_find,
)
