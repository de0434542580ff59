"""Blocks that are like another block of their section but for what they say themselves: `like: smol`.

Taken after the command line, so that `--set models.smol.model=FOLDER` reaches every block that is like it: YAML's own merge key
copies before anybody could set anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from cbtrun.contract.stage_kinds import PLUGGED, is_named
from cbtrun.documents.schema_words import did_you_mean, got, known_words
from cbtrun.documents.yaml_source import Node
from cbtrun.errors import Problem, SpecError

LIKE = "like"


def with_likeness(tree: Node) -> Node:
    """A study whose blocks say everything themselves. Raises SpecError with every block that is like nothing, or like itself."""
    if not isinstance(tree.value, dict):
        return tree
    sections, problems = dict(tree.value), list[Problem]()
    for stage in PLUGGED:
        section = sections.get(stage)
        if section is None or not is_named(stage) or not isinstance(section.value, dict):
            continue
        settled = {}
        for name, block in section.value.items():
            try:
                settled[name] = _settled(stage, section.value, name, ())
            except SpecError as error:
                problems += error.problems
                settled[name] = block
        sections[stage] = Node(settled, section.place, section.key_places)
    if problems:
        raise SpecError(problems)
    return Node(sections, tree.place, tree.key_places)


def merged(base: Node, over: Node) -> Node:
    """One tree over another: mappings merge, anything else replaces, null takes a key of the base out."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    children, places = dict(base.value), dict(base.key_places)
    for key, child in over.value.items():
        if child.value is None and key in base.value:
            del children[key], places[key]
            continue
        children[key] = merged(children[key], child) if key in children else child
        places[key] = over.key_places[key]
    return Node(children, over.place, places)


def _settled(stage: str, section: Mapping[str, Node], name: str, above: tuple[str, ...]) -> Node:
    """A block over what it is like. above: the blocks that are like it, from the one that was asked for."""
    block = section[name]
    if not isinstance(block.value, dict) or LIKE not in block.value:
        return block
    other, place = block.value[LIKE].value, block.key_places[LIKE]
    if not isinstance(other, str) or other not in section:
        known = [one for one in section if one != name]
        what = f"no block '{other}'{did_you_mean(other, known)}" if isinstance(other, str) else f"got {got(other)}"
        what = f"expected the name of another block of '{stage}', {what}; there is: {known_words(known)}"
        raise SpecError([Problem(place, f"{stage}/{name}/{LIKE}", what)])
    if other in (*above, name):
        circle = " -> ".join((*above, name, other))
        raise SpecError([Problem(place, f"{stage}/{name}/{LIKE}", f"goes round in a circle: {circle}")])
    own = {key: child for key, child in block.value.items() if key != LIKE}
    base = _settled(stage, section, other, (*above, name))
    return merged(base, Node(own, block.place, block.key_places))
