"""What kind of disk a folder lies on: one machine's own, or one that several machines may write at once.

On the second kind a lock may end at the machine that took it, and SQLite's WAL, which rests on memory that processes
share, does not hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cbtrun.errors import StageError

VARIABLE = "CBTRUN_DISK"
"""Says `network` or `local` of every disk, where the name of its file system misleads."""
MOUNTS = Path("/proc/self/mountinfo")
SHARED = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda"),
        *("lustre", "gpfs", "beegfs", "beegfs_nodev", "fhgfs", "ceph", "glusterfs", "panfs", "wekafs", "pvfs2", "orangefs"),
        *("gfs", "gfs2", "ocfs2"),
        *("9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs"),
    }
)  # fmt: skip
OWN_FUSE = frozenset(
    {
        *("fuse.fuse-overlayfs", "fuse.overlayfs", "fuse.mergerfs", "fuse.bindfs", "fuse.gocryptfs", "fuse.encfs"),
        *("fuse.lxcfs", "fuse.ntfs", "fuse.ntfs-3g", "fuse.exfat", "fuse.portal"),
    }
)
"""File systems in user space that lie on this machine; any other may lie anywhere (sshfs, s3fs, rclone, JuiceFS ...)."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Disk:
    """A file system, by the name that the kernel has for it."""

    kind: str
    """`ext4`, `nfs4` ...; empty where this machine does not say."""
    shared: bool
    """Whether other machines may write there at the same time."""

    @property
    def words(self) -> str:
        """`a network disk (nfs4)`."""
        named = f" ({self.kind})" if self.kind else ""
        return f"a network disk{named}" if self.shared else f"a disk of this machine{named}"


def disk_of(path: Path) -> Disk:
    """The disk that a path lies on, or would lie on. Raises StageError for a variable that says neither."""
    kind = _kind(path)
    said = os.environ.get(VARIABLE, "")
    if said not in ("", "network", "local"):
        raise StageError(f"the environment variable {VARIABLE} is {said!r}; allowed: network, local")
    return Disk(kind, said == "network" if said else is_shared(kind))


def is_shared(kind: str) -> bool:
    """Whether several machines may write to a file system of this name. One in user space that is not known may be anywhere."""
    return kind in SHARED or (kind.startswith("fuse.") and kind not in OWN_FUSE)


def _kind(path: Path) -> str:
    """The file system's name: that of the mount whose path is the longest, and of those the last, which lies on top."""
    there = Path(os.path.realpath(path))
    best, kind = -1, ""
    for mounted, name in _mounts():
        depth = len(mounted.parts)
        if depth >= best and there.is_relative_to(mounted):
            best, kind = depth, name
    return kind


def _mounts() -> Iterator[tuple[Path, str]]:
    """Where each file system is mounted, and its name; nothing on a system that does not say."""
    try:
        lines = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if len(fields) > 4 and kind:
            yield Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])), kind
