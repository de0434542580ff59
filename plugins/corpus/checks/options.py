"""Options of a corpus's `checks`."""

from __future__ import annotations

from cbtrun.plugin import Json

LANGUAGES = ("any", "en", "de", "nl", "fr", "es")


def checks_schema(*, rewrite: bool) -> Json:
    """Schema of a corpus's `checks`. rewrite: whether the corpus has an author that can be asked again."""
    ways = ["drop", "rewrite", "stop"] if rewrite else ["drop", "stop"]
    again = " `rewrite` asks the author once more, then drops." if rewrite else ""
    return {
        "type": "object",
        "additionalProperties": False,
        "default": {},
        "description": "What each transcript must be. Counts and examples go to corpus/NAME.checks.json.",
        "properties": {
            "on_fail": {
                "enum": ways,
                "default": "drop",
                "description": f"What becomes of a transcript that fails: left out, or the stage stops.{again}",
            },
            "language": {
                "enum": list(LANGUAGES),
                "default": "any",
                "description": "Language that the words must be of, told by its commonest words.",
            },
            "min_turns": {"type": "integer", "minimum": 2, "default": 2, "description": "Fewest turns of a session."},
            "max_turn_words": {
                "type": "integer",
                "minimum": 1,
                "default": 600,
                "description": "Most words of one turn.",
            },
            "near_duplicates": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.9,
                "description": "Jaccard similarity of 5-word shingles (MinHash, an estimate) from which the later of "
                "two transcripts is a copy; 0 does not look.",
            },
            "character": {
                "type": "boolean",
                "default": True,
                "description": "Look for refusals, an author that says it is a machine, and turns of the other speaker.",
            },
            "leaks": {
                "type": "boolean",
                "default": True,
                "description": "Look for prompts, template tokens and code in what is said.",
            },
        },
    }
