"""What is kept of a run that was interrupted, in words."""

from __future__ import annotations

from contextlib import closing

from cbtrun.errors import CbtrunError
from cbtrun.files.run_folder import RunFolder
from cbtrun.journal.tables import connect_to_read
from cbtrun.journal.trouble import told
from cbtrun.run.run_list import stages_of


class Interrupted(CbtrunError):
    """Ctrl-C, or a signal that is like it."""

    def __init__(self, what: str, exit_code: int) -> None:
        super().__init__(what)
        self.exit_code = exit_code


def interrupted(folder: RunFolder, exit_code: int) -> Interrupted:
    """What to tell: what is kept, and how to go on."""
    return Interrupted(
        f"Stopped. Kept in {folder.path}: {_kept(folder)}. The same command goes on from here.", exit_code
    )


def _kept(folder: RunFolder) -> str:
    try:
        done, to_do = stages_of(folder)
        with closing(connect_to_read(folder.journal)) as connection, told(folder.journal):
            replies = int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])
    except (CbtrunError, OSError):
        return "all that was written"
    names = f" ({', '.join(done)})" if done else ""
    stages = f"{len(done)} of {len(done) + len(to_do)} stages{names}"
    return f"{stages} and {replies:,} {'reply' if replies == 1 else 'replies'} of models"
