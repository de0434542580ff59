"""Does a chat template only write what is said, or does it also look at it?

Most write each message's words between marks and ask for nothing but its role. Then what stands around the messages depends on
the roles alone, is rendered once for each length of a dialogue, and every dialogue is put together from it, to the letter.
A template that asks for the words (is there a thought in them? do they hold a call?) is rendered anew each time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import nodes

KINDS = frozenset({"defined", "undefined", "none", "string", "mapping", "iterable", "sequence"})
"""Tests whose answer is the same for all texts."""
SAME = frozenset({"trim"})
"""Filters that leave a text as it is that neither begins nor ends with blanks and is not empty."""
WHOLE = frozenset({"content", "get", "items", "keys", "values"})
"""What of a message gives its words."""
NEIGHBOURS = frozenset({"previtem", "nextitem"})
"""What of a loop gives a message."""


@lru_cache(maxsize=64)
def only_writes_words(source: str) -> bool:
    """Whether a template does nothing with what is said but write it; False for all that is not surely so."""
    from cbtrun.plugin import parsed_chat_template

    tree = parsed_chat_template(source)
    return tree is not None and _Reader(tree).plain()


class _Reader:
    """Follows `messages`, single messages and their words through a template.

    dialogues: names that stand for lists of messages; singles: for one message; words: for what is said.
    """

    def __init__(self, tree: nodes.Template) -> None:
        self._tree = tree
        self._dialogues, self._singles, self._words = {"messages"}, set[str](), set[str]()

    def plain(self) -> bool:
        """Whether words are written and nothing else. Names are gathered until there are no new ones."""
        before = -1
        while before != (before := len(self._dialogues) + len(self._singles) + len(self._words)):
            if not self._statement(self._tree):
                return False
        return not (self._dialogues & self._singles or (self._dialogues | self._singles) & self._words)

    def _statement(self, node: Any) -> bool:
        from jinja2 import nodes

        if isinstance(node, nodes.Output):
            return all(self._is_written(one) for one in node.nodes)
        if isinstance(node, nodes.Assign):
            return self._assigned(node)
        if isinstance(node, nodes.For):
            return self._loop(node)
        if isinstance(node, nodes.If):
            parts = [*node.body, *node.elif_, *node.else_]
            return self._free(node.test) and all(self._statement(one) for one in parts)
        if isinstance(node, nodes.Template):
            return all(self._statement(one) for one in node.body)
        if isinstance(node, nodes.CallBlock):  # `{% generation %}`, which writes its body
            return self._free(node.call) and all(self._statement(one) for one in node.body)
        return not self._touches(node)  # of a macro the parameters would have to be followed, too

    def _assigned(self, node: Any) -> bool:
        from jinja2 import nodes

        if not isinstance(node.target, nodes.Name):
            return self._free(node.node)  # into a namespace: nothing of the dialogue
        for holds, names in (
            (self._is_dialogue, self._dialogues), (self._is_single, self._singles), (self._is_words, self._words),
        ):  # fmt: skip
            if holds(node.node):
                names.add(node.target.name)
                return True
        return self._free(node.node)

    def _loop(self, node: Any) -> bool:
        from jinja2 import nodes

        if self._is_dialogue(node.iter):
            if not isinstance(node.target, nodes.Name):
                return False
            self._singles.add(node.target.name)
        elif not self._free(node.iter):
            return False
        if node.test is not None and not self._free(node.test):
            return False
        return all(self._statement(one) for one in (*node.body, *node.else_))

    def _is_written(self, node: Any) -> bool:
        """Whether this may be written: words, texts that do not look at them, and both put together."""
        from jinja2 import nodes

        if isinstance(node, nodes.Add):
            return self._is_written(node.left) and self._is_written(node.right)
        if isinstance(node, nodes.Concat):
            return all(self._is_written(one) for one in node.nodes)
        if isinstance(node, nodes.CondExpr):
            sides = [node.expr1, *([node.expr2] if node.expr2 is not None else [])]
            return self._free(node.test) and all(self._is_written(one) for one in sides)
        return self._is_words(node) or self._free(node)

    def _is_dialogue(self, node: Any) -> bool:
        from jinja2 import nodes

        if isinstance(node, nodes.Name):
            return node.name in self._dialogues
        return isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice) and self._is_dialogue(node.node)

    def _is_single(self, node: Any) -> bool:
        from jinja2 import nodes

        if isinstance(node, nodes.Name):
            return node.name in self._singles
        if not isinstance(node, nodes.Getitem) or isinstance(node.arg, nodes.Slice):
            return False
        return self._is_dialogue(node.node) and self._free(node.arg)

    def _is_words(self, node: Any) -> bool:
        """`message['content']`, a name for it, or either without blanks at its ends."""
        from jinja2 import nodes

        if isinstance(node, nodes.Name):
            return node.name in self._words
        if isinstance(node, nodes.Filter):
            return (
                node.name in SAME
                and not node.args
                and not node.kwargs
                and node.node is not None
                and self._is_words(node.node)
            )
        if isinstance(node, nodes.Call):
            strips = isinstance(node.node, nodes.Getattr) and node.node.attr == "strip" and not node.args
            return strips and self._is_words(node.node.node)  # type: ignore[attr-defined]  # strips says what it is
        return _key(node) == "content" and self._is_single(node.node)

    def _free(self, node: Any) -> bool:
        """Whether the value of an expression is the same whatever is said."""
        from jinja2 import nodes

        if self._is_words(node) or self._is_single(node) or self._is_dialogue(node):
            return False
        key = _key(node)
        if key in NEIGHBOURS:
            return False
        if key is not None and key not in WHOLE and self._is_single(node.node):
            return True  # a role, or what no message of ours has
        if isinstance(node, nodes.Test) and node.name in KINDS:
            return any(holds(node.node) for holds in (self._is_words, self._is_single, self._is_dialogue, self._free))
        if isinstance(node, nodes.Filter) and node.name in ("length", "count") and self._is_dialogue(node.node):
            return True
        if isinstance(node, nodes.Compare) and all(one.op in ("in", "notin") for one in node.ops):
            # `'tool_calls' in message`: all messages have the same keys
            return self._free(node.expr) and all(self._is_single(one.expr) or self._free(one.expr) for one in node.ops)
        return all(self._free(child) for child in node.iter_child_nodes())

    def _touches(self, node: Any) -> bool:
        from jinja2 import nodes

        known = self._dialogues | self._singles | self._words
        return any(name.name in known for name in node.find_all(nodes.Name))


def _key(node: Any) -> str | None:
    """The key that is asked for: `content` of `message.content` and of `message['content']`."""
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr):
        return str(node.attr)
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None
