"""A package of somebody who means harm is refused with the reason, before anything of it is run, and reaches nobody."""

from __future__ import annotations

import json
import lzma
import socket
import struct
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cbtrun.packaging import derived
from cbtrun.packaging.strange_names import odd_names
from cbtrun.testing.projects import StudyProject
from tests.helpers.two_controls import two_controls

SPEC = b"cbtrun: 1\nstudy: x\n"
STUDY = two_controls("x").encode()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyProject:
    """A folder in which nothing may be run."""

    def refuse(*_: object) -> None:
        raise AssertionError("a stranger's study was run")

    monkeypatch.setattr(derived, "_cbtrun", refuse)
    return StudyProject(tmp_path / "here")


def package(project: StudyProject, members: dict[str, bytes], **about: object) -> Path:
    told = {"cbtrun_package": 1, "cbtrun": "0.2.0", "study": "x", "spec": "study/s.yaml", **about}
    base = {"manifest-sha256.txt": b"", "package.json": json.dumps(told).encode(), "study/s.yaml": STUDY}
    project.folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(project.folder / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**base, **members}.items():
            archive.writestr(name, content)
    return project.folder / "x.zip"


def refused(project: StudyProject, path: Path) -> str:
    outcome = project.run("verify", str(path))
    assert outcome.code == 2, outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    assert {one.name for one in project.folder.iterdir()} == {"x.zip"}
    return outcome.err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("study/../../../evil", "leads out of the archive"),
        ("/etc/evil", "leads out of the archive"),
        ("C:/evil", "leads out of the archive"),
        ("study\\..\\evil", "leads out of the archive"),
        ("study/S.yaml", "is the name of 'study/s.yaml' too"),
        ("study/s.yaml/more", "is a file and a folder"),
        ("run/con", "has the name of a device of Windows"),
        ("run/Aux.txt", "has the name of a device of Windows"),
        ("run/lpt1.csv", "has the name of a device of Windows"),
        ("run/a.", "not every disk can hold"),
        ("run/a ", "not every disk can hold"),
        ("run/a:b", "not every disk can hold"),
        ("run/a|b", "not every disk can hold"),
        ("run/./a", "not every disk can hold"),
        ("run//a", "not every disk can hold"),
        ("run/a\u202egpj.exe", "signs that nobody sees"),
        ("run/a\u200bb", "signs that nobody sees"),
        ("run/a\x1b[2J", "signs that nobody sees"),
        ("run/" + "é" * 150, "too long or too deep"),
        ("/".join("a" * 30), "too long or too deep"),
        ("run/more.zip", "is an archive inside an archive"),
        ("run/more.tar", "is an archive inside an archive"),
        ("other.jsonl.xz", "is an archive inside an archive"),
    ],
)
def test_names_that_lead_elsewhere_or_mean_something_else_are_refused(
    project: StudyProject, name: str, told: str
) -> None:
    assert told in refused(project, package(project, {name: b"x"}))


def test_names_that_differ_in_spelling_alone_are_told() -> None:
    odd = dict(odd_names(["study/caf\u00e9.csv", "study/cafe\u0301.csv", "a/STRASSE", "a/stra\u00dfe", "fine/b.csv"]))
    assert {*odd} == {"study/cafe\u0301.csv", "a/stra\u00dfe"}


def test_links_and_passwords_are_refused(project: StudyProject) -> None:
    path = package(project, {})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("run/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "is a link; links are not followed" in refused(project, path)
    path.unlink()
    path = package(project, {"run/secret": b"x" * 40})
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.rfind(b"run/secret", 0, None if mark == b"PK\x01\x02" else content.find(b"PK\x01\x02"))
        begin = content.rfind(mark, 0, place)
        content[begin + at] |= 1
    path.write_bytes(content)
    assert "has a password" in refused(project, path)


def test_what_unpacks_to_far_more_than_it_is_is_refused(project: StudyProject) -> None:
    assert "unpacks to more than 200 times its size" in refused(
        project, package(project, {"run/big": b"0" * 3_000_000})
    )
    (project.folder / "x.zip").unlink()
    path = package(project, {"run/liar": b"0" * 1000})
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x01\x02", 0, content.rfind(b"run/liar"))
    content[place + 24 : place + 28] = struct.pack("<I", 1_200_000_000)
    path.write_bytes(content)
    assert "holds more than 1,024 MiB" in refused(project, path)
    content[place + 24 : place + 28] = struct.pack("<I", 10)  # less than there is
    path.write_bytes(content)
    assert "cannot be read as a zip: Bad CRC-32" in refused(project, path)
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_001):
            archive.writestr(f"run/{number}", "")
    assert "has more than 20,000 members" in refused(project, path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_and_lists_that_say_two_things_are_refused(project: StudyProject) -> None:
    path = package(project, {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("study/s.yaml", "other")
    assert "has two members of one name" in refused(project, path)
    path.unlink()
    twice = f"{'0' * 64}  study/s.yaml\n{'1' * 64}  study/s.yaml\n".encode()
    assert "lists 'study/s.yaml' twice" in refused(project, package(project, {"manifest-sha256.txt": twice}))


def test_a_package_json_without_end_is_not_read(project: StudyProject) -> None:
    import random

    long = json.dumps({"cbtrun_package": 1, "more": random.Random(1).randbytes(600_000).hex()}).encode()
    assert "'package.json' is longer than 1 MiB" in refused(project, package(project, {"package.json": long}))


OUTSIDE = "its study leads out of it"


@pytest.mark.parametrize(
    ("spec", "sets", "told"),
    [
        (STUDY + b"extends: /etc/passwd\n", [], f"{OUTSIDE}: extends names '/etc/passwd'"),
        (STUDY + b"extends: ../../../x.yaml\n", [], f"{OUTSIDE}: extends names"),
        (STUDY + b"extends: ~/x.yaml\n", [], f"{OUTSIDE}: extends names"),
        (STUDY.replace(b"rubric: ctrs", b"rubric: /etc/x.yaml"), [], f"{OUTSIDE}: ratings/ctrs/rubric names '/etc/x.yaml'"),
        (STUDY, ["ratings.ctrs.rubric=../../x.yaml"], f"{OUTSIDE}: ratings/ctrs/rubric names"),
        (STUDY, ["sessions={using: import, path: /etc/passwd}"], f"{OUTSIDE}: sessions/path names '/etc/passwd'"),
        (STUDY, ["personas.eval={using: files, path: '../../*.json'}"], f"{OUTSIDE}: personas/eval/path names"),
        (STUDY, ["people={p: {file: /etc/passwd}}"], f"{OUTSIDE}: people/p/file names '/etc/passwd'"),
        (STUDY + b"plugins: [./evil.py]\n", [], "wants to run Python of its own (./evil.py)"),
        (STUDY, ["plugins=[evil.py]"], "wants to run Python of its own (evil.py)"),
        (STUDY, ["plugins=evil.py"], "wants to run Python of its own (evil.py)"),
        (STUDY, ["extends=/etc/passwd"], "'extends' can be written in a file only"),
        (STUDY.replace(b"study: x", b"study: ../../x"), [], "is no name that a run folder can have"),
    ],
)  # fmt: skip
def test_a_study_that_leads_out_or_brings_python_is_refused(
    project: StudyProject, spec: bytes, sets: list[str], told: str
) -> None:
    members = {"study/s.yaml": spec, "study/evil.py": b"open('owned', 'w')", "journal.jsonl.xz": b"x"}
    assert told in refused(project, package(project, members, set=sets))


def test_python_that_is_allowed_still_comes_from_the_package_alone(project: StudyProject) -> None:
    path = package(project, {"study/s.yaml": STUDY + b"plugins: [../../evil.py]\n"})
    outcome = project.run("verify", str(path), "--allow-local-plugins")
    assert (outcome.code, f"{OUTSIDE}: plugins names" in outcome.err) == (2, True)


def lines_of(*lines: bytes) -> bytes:
    return lzma.compress(b"".join(line + b"\n" for line in lines))


@pytest.mark.parametrize(
    ("journal", "told"),
    [
        (b"no xz at all", "cannot be read as a packed export"),
        (lines_of(b'{"cbtrun_journal":3}', b'{"key":"' + b"0" * 64 + b'"}'), "journal.jsonl.xz:2"),
        (lines_of(b'{"cbtrun_journal":3}', b"[" * 100_000), "cannot be read as a packed export"),
        (lzma.compress(b'{"cbtrun_journal":3}\n' + b"x" * 70_000_000, preset=0), "unpacks to far more than replies do"),
    ],
)
def test_a_journal_that_is_none_is_told_and_nothing_is_run(project: StudyProject, journal: bytes, told: str) -> None:
    path = package(project, {"journal.jsonl.xz": journal})
    outcome = project.run("verify", str(path))
    assert outcome.code == 3, outcome.err
    assert told in outcome.out
    assert "Not verified" in outcome.out


ASKS = """
import socket, sys
from cbtrun.packaging.without_network import shut_network
left, right = socket.socketpair()
shut_network()
left.send(b"x"); right.recv(1)
import asyncio; asyncio.run(asyncio.sleep(0))
for way in (lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2), lambda: socket.getaddrinfo("localhost", 80),
            lambda: socket.socket().bind(("127.0.0.1", 0)),
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))):
    try:
        way()
    except OSError as error:
        print(error)
    else:
        print("REACHED")
"""


def test_the_process_that_derives_reaches_no_machine() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        ran = subprocess.run([sys.executable, "-P", "-c", ASKS, port], capture_output=True, text=True, check=True)
    assert ran.stdout.count("a package is verified without network") == 4, ran.stdout
    assert "REACHED" not in ran.stdout


@pytest.mark.slow
def test_a_server_that_a_package_names_is_never_asked(
    study_project: Callable[[dict[str, str]], StudyProject], tmp_path: Path
) -> None:
    """`--set` of `package.json` may name one: a run of somebody who moved a model had that too."""
    project = study_project({"study.yaml": two_controls("named")})
    assert project.run("study.yaml", "-q").code == 0
    assert project.run("package", "named").code == 0
    came: list[object] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(60)

        def accept() -> None:
            with suppress(OSError):  # the test is over before anybody came
                came.append(server.accept())

        threading.Thread(target=accept, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        from tests.helpers.tampered import tampered

        sets = [f"models.rater={{using: openai, base_url: '{address}', model: x, api_key_env: HOME}}"]
        told = lambda old: json.dumps({**json.loads(old), "set": sets}).encode()  # noqa: E731 - one change
        outcome = project.run("verify", str(tampered(project.folder / "named.zip", tmp_path / "evil.zip", {"package.json": told})))  # fmt: skip
    assert outcome.code == 3
    assert "Not verified" in outcome.out
    assert not came


def test_crc_is_held(project: StudyProject) -> None:
    path = package(project, {"run/plain": b"hello hello"})
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x01\x02", 0, content.rfind(b"run/plain"))
    content[place + 16 : place + 20] = struct.pack("<I", zlib.crc32(b"other"))
    path.write_bytes(content)
    assert "cannot be read as a zip: Bad CRC-32" in refused(project, path)
