"""The commands by what they are for, each with a text that an 80-column terminal does not cut; and their completion."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem

PAGES = "docs/README.md"
GROUPS: Mapping[str, Mapping[str, str]] = {
    "Write": {
        "new": "Start a study, a rubric, personas or a plugin of your own.",
        "import": "Look at files of yours and write a study that reads them.",
        "migrate": "Show a study's file in today's form.",
        "schema": "Print the JSON Schema of a study.",
        "plugins": "List the installed plugins, or show what one does.",
    },
    "Check": {
        "validate": "Check studies and what they name; run nothing.",
        "plan": "Say what a run would do, take and cost.",
        "doctor": "Say what would stop a study on this machine.",
        "power": "Say what the analyses can find with the study's n.",
        "preregister": "Freeze a study by digest before its data.",
    },
    "Run": {
        "run": "Run what is not done yet: `cbtrun STUDY.yaml` does too.",
        "slurm": "Run it as a job of Slurm, requeued until it is done.",
        "status": "Say how far a run is, also while it runs; list runs.",
        "gate": "Run it and hold it to minimums, for CI.",
    },
    "Look": {
        "view": "Show runs in a browser on this machine.",
        "report": "Make the report again from a run's files.",
        "compare": "Say what differs between two runs.",
        "sheet": "Write blinded rating sheets for people.",
        "rate": "Let people rate in a browser, by keys.",
        "agree": "Compare people's ratings with the models'.",
    },
    "Share": {
        "package": "Write a run as one archive that anybody can check.",
        "verify": "Derive everything that a package says again.",
        "export": "Write a tuned adapter or a merged model.",
        "card": "Print the card of a model, corpus, rubric or personas.",
        "journal": "Pass on, check or shrink a run's replies.",
        "forget": "Take the words of one person out of a run.",
    },
}


class GroupedCommands(click.Group):
    """A group whose help shows its commands by what they are for, and whose first word may be a file."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A section for each group; what stands in none comes last, with its own words."""
        sections = {title: dict(commands) for title, commands in GROUPS.items()}
        named = {name for commands in sections.values() for name in commands}
        more = {
            name: self.commands[name].get_short_help_str(55) for name in self.list_commands(ctx) if name not in named
        }
        for title, commands in [*sections.items(), *([("More", more)] if more else [])]:
            there = [(name, told) for name, told in commands.items() if name in self.commands]
            if there:
                with formatter.section(title):
                    formatter.write_dl(there, col_max=12)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the docs are, and what else there is to know."""
        formatter.write_paragraph()
        formatter.write(f"Docs: {docs_address()}\n`cbtrun help COMMAND` tells all of a command.\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and studies: `cbtrun my<TAB>` is a file as often as a command."""
        found = super().shell_complete(ctx, incomplete)
        if ctx.command is not self or incomplete.startswith("-"):
            return found
        if os.sep in incomplete or not (found or _studies(incomplete)):
            return [CompletionItem(incomplete, type="file")]
        return [*found, *(CompletionItem(name, help="a study") for name in _studies(incomplete))]


def docs_address() -> str:
    """The first page of the docs: where it lies in a checkout, else its name in the source."""
    page = Path(__file__).resolve().parents[2] / PAGES
    return str(page) if page.is_file() else f"{PAGES} in the source of cbtrun"


def _studies(incomplete: str) -> list[str]:
    """YAML files of the current folder that begin so."""
    return sorted(
        path.name for path in Path().iterdir() if path.suffix in (".yaml", ".yml") and path.name.startswith(incomplete)
    )
