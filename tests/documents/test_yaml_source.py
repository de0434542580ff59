"""YAML is read as data, with places, and what is wrong with a file is said with its line."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from cbtrun.documents.yaml_scalars import plain_scalar
from cbtrun.documents.yaml_source import MAX_BYTES, Located, read_yaml
from cbtrun.errors import SpecError


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Located]:
    """Reads a text, or bytes, as the file `study.yaml`."""

    def from_text(content: str | bytes, **options: object) -> Located:
        path = tmp_path / "study.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_yaml(path, shown="study.yaml", **options)  # type: ignore[arg-type]

    return from_text


def message(read: Callable[..., Located], content: str | bytes) -> str:
    """The one problem of a file."""
    with pytest.raises(SpecError) as caught:
        read(content)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-1.5e+2", -150.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0o17", 15),
        ("0x1F", 31),
        ("017", 17),
        ("-0", 0),
        ("+12", 12),
        ("true", True),
        ("False", False),
        ("~", None),
        ("Null", None),
        ("", None),
        ("-.inf", -math.inf),
    ],
)
def test_a_scalar_of_the_core_schema_is_a_value(word: str, value: object) -> None:
    assert plain_scalar(word) == value
    assert type(plain_scalar(word)) is type(value)


@pytest.mark.parametrize(
    "word",
    [
        "no",
        "on",
        "yes",
        "off",
        "No",
        "y",
        "1_000",
        "12:30:45",
        "2024-01-01",
        "0b11",
        "1e",
        "e3",
        ".",
        "0o8",
        "-0x1",
        "tRue",
    ],
)
def test_anything_else_is_a_word(word: str) -> None:
    assert plain_scalar(word) == word


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(plain_scalar(".nan"))  # type: ignore[arg-type]


def test_a_number_too_long_to_be_one_is_a_word() -> None:
    assert plain_scalar("9" * 5000) == "9" * 5000


def test_quoted_scalars_are_words(read: Callable[..., Located]) -> None:
    assert read("a: '1'\nb: \"true\"\nc: |\n  3\n").value == {"a": "1", "b": "true", "c": "3\n"}


def test_an_alias_repeats_its_value_and_shares_nothing(read: Callable[..., Located]) -> None:
    value = read("a: &x [1, 2]\nb: *x\n").value
    assert value == {"a": [1, 2], "b": [1, 2]}
    assert value["a"] is not value["b"]


def test_a_merge_key_takes_in_what_the_mapping_does_not_say_itself(read: Callable[..., Located]) -> None:
    found = read("a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: *a, y: 3}\nd: {<<: [*b, *a]}\ne: {'<<': 4}\n")
    assert found.value["c"] == {"x": 1, "y": 3}
    assert found.value["d"] == {"x": 1, "y": 2, "z": 2}
    assert found.value["e"] == {"<<": 4}
    assert found.place("c", "x").line == 1
    assert found.place("c", "y").line == 3


@pytest.mark.parametrize("given", ["1", "[]", "[*a, 2]", "word"])
def test_a_merge_key_takes_in_nothing_but_mappings(read: Callable[..., Located], given: str) -> None:
    with pytest.raises(SpecError, match="2:5: '<<' takes in a mapping or a list of them"):
        read(f"a: &a {{x: 1}}\nb: {{<<: {given}}}\n")


def test_a_byte_order_mark_is_no_part_of_the_first_key(read: Callable[..., Located]) -> None:
    assert read(b"\xef\xbb\xbfa: 1").value == {"a": 1}


def test_windows_line_ends_are_read(read: Callable[..., Located]) -> None:
    located = read("a:\r\n  b: 1\r\nc: 2\r\n")
    assert (located.value, str(located.place("c"))) == ({"a": {"b": 1}, "c": 2}, "study.yaml:3:4")


def test_a_scalar_has_the_place_of_its_value(read: Callable[..., Located]) -> None:
    assert str(read("a:\n  b: [1, {c: 2}]\n").place("a", "b", 1, "c")) == "study.yaml:2:14"


def test_a_mapping_and_a_list_have_the_place_of_their_key(read: Callable[..., Located]) -> None:
    located = read("a:\n  b: [1, 2]\n")
    assert (str(located.place("a")), str(located.place("a", "b"))) == ("study.yaml:1:1", "study.yaml:2:3")


def test_a_key_has_a_place_of_its_own(read: Callable[..., Located]) -> None:
    assert str(read("a:\n  b: 1\n").place("a", "b", key=True)) == "study.yaml:2:3"


def test_what_was_not_written_has_the_place_around_it(read: Callable[..., Located]) -> None:
    located = read("x: 1\na:\n  b: 1\n")
    assert (str(located.place("a", "z", 3)), str(located.place("z"))) == ("study.yaml:2:1", "study.yaml:1:1")


def test_number_keys_can_be_allowed_and_become_words(read: Callable[..., Located]) -> None:
    assert read("anchors: {0: low, 6: high}", number_keys=True).value == {"anchors": {"0": "low", "6": "high"}}


def test_a_list_can_be_asked_for(read: Callable[..., Located]) -> None:
    assert read("- 1\n- 2\n", top=list).value == [1, 2]


def test_the_digest_is_of_the_bytes(read: Callable[..., Located]) -> None:
    assert read("a: 1").sha256 != read("a: 1 ").sha256


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml", shown="none.yaml")


def test_a_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a folder; expected a YAML file"):
        read_yaml(tmp_path)


def test_a_device_is_not_read() -> None:
    with pytest.raises(SpecError, match="/dev/zero: is not a regular file"):
        read_yaml("/dev/zero")


def test_a_null_character_in_the_path_is_reported() -> None:
    with pytest.raises(SpecError, match="1 problem"):
        read_yaml("a\0b")


def test_a_file_over_the_limit_is_not_read(read: Callable[..., Located]) -> None:
    assert message(read, "a: " + "x" * MAX_BYTES) == "study.yaml: is 5.0 MB long; at most 5 MB are read"


def test_other_encodings_are_reported_with_the_byte(read: Callable[..., Located]) -> None:
    assert message(read, b"a: 1\nb: caf\xe9\n") == (
        "study.yaml:2:7: is not UTF-8 text: byte 0xe9; save the file as UTF-8"
    )


def test_control_characters_are_reported(read: Callable[..., Located]) -> None:
    assert message(read, "a\0b") == "study.yaml: not valid YAML: control characters are not allowed"


def test_a_tab_after_indentation_is_reported(read: Callable[..., Located]) -> None:
    assert message(read, "a: 1\n\tb: 2\n") == "study.yaml:2:1: a tab stands in the indentation; use spaces"


def test_a_tab_inside_text_is_fine(read: Callable[..., Located]) -> None:
    assert read("a: |\n  x\ty\n").value == {"a": "x\ty\n"}


def test_nesting_stops_before_the_parser_does(read: Callable[..., Located]) -> None:
    assert message(read, "[" * 900) == "study.yaml:1:101: nested over 100 levels deep"
    assert message(read, "[" * 200_000).endswith("nested over 100 levels deep")


def test_a_mapping_as_key_is_reported(read: Callable[..., Located]) -> None:
    assert message(read, "? {a: 1}\n: 2\n") == "study.yaml:1:3: a key must be a word, got keys and values"
