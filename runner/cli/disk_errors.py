"""What to do about a disk that is full, or a path that cannot be used: what the system says, in a sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import click

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_RIGHT = (errno.EACCES, errno.EROFS, errno.EPERM)
LATER = {
    errno.EMFILE: "more files and connections than this process may open (`ulimit -n`); raise that, or lower --concurrency",
    errno.ENFILE: "more files than this machine may open at once",
    errno.EIO: "the disk does not answer as it should; look at it before you go on",
    errno.ESTALE: "the network disk has lost it; mount it again",
    errno.ETXTBSY: "another program holds it",
    errno.EBUSY: "another program holds it",
    errno.ENOMEM: "no memory left",
}
"""What may be over the next time: exit 4."""
UNUSABLE = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.ENXIO, errno.EINVAL),
    *(errno.EEXIST, errno.ENOTEMPTY, errno.ENOTSUP, errno.EXDEV, errno.ENODEV),
)


def is_for_the_user(error: OSError) -> bool:
    """Whether the user can mend it: a full disk, a path that may not be used, a reader that left."""
    named = error.filename is not None and error.errno in UNUSABLE
    return named or error.errno in (*FULL, *LATER, *NO_RIGHT, errno.EPIPE)


def tell_disk_error(error: OSError) -> int:
    """Tell it and give the exit code; any other OSError, and one that names no file, is a bug of ours and is raised again."""
    what = error.filename or "disk"
    if error.errno in FULL:
        limit = "files may not be that large (`ulimit -f`)" if error.errno == errno.EFBIG else "no space left"
        click.echo(f"{what}: {limit}; what is done is kept. Free some and run the same command again.", err=True)
        return 4
    if error.errno in LATER:
        click.echo(f"{what}: {LATER[error.errno]}. What is done is kept; run the same command again.", err=True)
        return 4
    if error.errno in NO_RIGHT:
        click.echo(f"{error.filename}: {_not_allowed(error)}", err=True)
        return 2
    if error.errno in UNUSABLE and error.filename:
        click.echo(f"{error.filename}: cannot be used ({error.strerror}); look at it, or name another", err=True)
        return 2
    raise error


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
