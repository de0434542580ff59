"""Disks that several machines write are told by the kernel's names for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cbtrun.errors import StageError
from cbtrun.files import disks
from cbtrun.files.disks import disk_of

MOUNTED = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw - autofs auto.home rw
31 30 0:41 / /home rw,relatime master:3 - nfs4 files:/home rw,vers=4.2
32 22 0:42 / /scratch rw - lustre 10.0.0.1@tcp:/work rw
33 32 8:2 / /scratch/local\\040disk rw - xfs /dev/sdb1 rw
34 22 0:43 / /mnt/there rw - fuse.sshfs me@there: rw
35 22 0:44 / /mnt/cipher rw - fuse.gocryptfs /home/me/x rw
36 22 0:45 / /group rw - gpfs group rw
37 22 0:46 / /win rw - cifs //win/share rw
38 22 0:47 / /vm rw - 9p share rw
39 22 0:48 / /bee rw - beegfs beegfs_nodev rw
a line of nothing
"""


@pytest.mark.parametrize(
    ("path", "kind", "shared"),
    [
        ("/var/runs", "ext4", False),
        ("/home/me/runs/not/there/yet", "nfs4", True),
        ("/homes", "ext4", False),
        ("/scratch/runs", "lustre", True),
        ("/scratch/local disk/runs", "xfs", False),
        ("/mnt/there/runs", "fuse.sshfs", True),
        ("/mnt/cipher", "fuse.gocryptfs", False),
        ("/group/x", "gpfs", True),
        ("/win", "cifs", True),
        ("/vm", "9p", True),
        ("/bee/runs", "beegfs", True),
    ],
)
def test_a_path_is_on_the_mount_that_lies_on_top(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, shared: bool
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTED)
    monkeypatch.setattr(disks, "MOUNTS", mounts)
    monkeypatch.delenv("CBTRUN_DISK", raising=False)
    found = disk_of(Path(path))
    assert (found.kind, found.shared) == (kind, shared)
    assert found.words == f"{'a network disk' if shared else 'a disk of this machine'} ({kind})"


def test_the_user_knows_better_and_a_system_that_says_nothing_has_disks_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "none")
    monkeypatch.delenv("CBTRUN_DISK", raising=False)
    assert not disk_of(tmp_path).shared
    monkeypatch.setenv("CBTRUN_DISK", "network")
    assert (disk_of(tmp_path).shared, disk_of(tmp_path).words) == (True, "a network disk")
    monkeypatch.setenv("CBTRUN_DISK", "tape")
    with pytest.raises(StageError, match="CBTRUN_DISK is 'tape'; allowed: network, local"):
        disk_of(tmp_path)
