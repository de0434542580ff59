"""What to do about a disk that is full, or a path that this user may not read or write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click


def tell_disk_error(error: OSError) -> int:
    """Tell it and give the exit code; any other OSError is a bug of ours and is raised again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        click.echo(
            f"{error.filename or 'disk'}: {_no_room(error)}; what is done is kept. Free some and run the same command again.",
            err=True,
        )
        return 4
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        click.echo(f"{error.filename}: {_not_allowed(error)}", err=True)
        return 2
    raise error


def _no_room(error: OSError) -> str:
    return "larger than files may be here (ulimit -f)" if error.errno == errno.EFBIG else "no space left"


def _not_allowed(error: OSError) -> str:
    """What may not be done with a path, and what to do about it."""
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if path is not None and (shut := _shut_folder(path)):
        return f"may not be read: folder {shut} may not be looked into ({error.strerror})."
    if path is not None and path.exists() and not os.access(path, os.R_OK):
        return f"may not be read ({error.strerror}); give yourself the right to, or name another file."
    return f"may not be written ({error.strerror}); choose another place with --runs."


def _shut_folder(path: Path) -> Path | None:
    """The folder on a path's way that this user may not enter; none where all are open."""
    above = reversed(path.absolute().parents)
    return next((one for one in above if not os.access(one, os.X_OK) and one.is_dir()), None)
