"""The words of a pickled state dict, looked at one by one before torch reads them: nothing is made, nothing is looked up.

torch's own reader of weights is careful, too, but it looks names up and compares objects, for which it imports parts of itself
late. A file that says anything but what `torch.save` writes of a state dict does not get that far.
"""

from __future__ import annotations

import encodings.raw_unicode_escape  # noqa: F401  pickletools needs it for one word: now, not while a file is read
import pickletools
import re
from struct import error as StructError

from ei_brian.errors import StorageError

__all__ = ["check_opcodes"]

NAMES = re.compile(r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch \w{1,20}Storage")
VALUES = frozenset(
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINSTRING EMPTY_TUPLE EMPTY_LIST "
    "EMPTY_DICT".split()
)
TAKEN = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "BINPERSID": 1}  # values that are replaced by one
KEPT_BELOW = {"SETITEM": 2, "APPEND": 1, "BUILD": 1}  # values that go into the one below
MARK = "mark"
OTHER = "a value"


def check_opcodes(where: str, pickled: bytes) -> None:
    """Refuse a pickle that calls or names anything but the parts of tensors.

    Raises
    ------
    StorageError
        With the word that a state dict does not have.
    """
    reader = _Words()
    try:
        for word, argument, _ in pickletools.genops(pickled):
            reader.take(word.name, argument)
    except (ValueError, IndexError, KeyError, OverflowError, StructError) as error:
        reason = str(error)[:160] or type(error).__name__
        raise StorageError(
            f"{where}: its pickle is not that of a state dict ({reason}). It must hold a state dict and nothing else: a file "
            "of a whole module can run any code when it is opened. Where its classes are at hand and trusted: model = "
            "torch.load(path, weights_only=False); torch.save(model.state_dict(), 'weights.pt')."
        ) from error


class _Words:
    """What kind of thing lies on the stack of a pickle: a name that may be called, a mark, or a value."""

    def __init__(self) -> None:
        self.stack: list[str] = []
        self.memo: dict[int, str] = {}

    def take(self, word: str, argument: object) -> None:
        """Follow one word."""
        if word in VALUES:
            self.stack.append(OTHER)
        elif word in TAKEN:
            self._drop(TAKEN[word])
            self.stack.append(OTHER)
        elif word in KEPT_BELOW:
            self._drop(KEPT_BELOW[word])
            self._value_on_top()
        elif word in ("SETITEMS", "APPENDS", "TUPLE"):
            self._drop_to_mark()
            if word == "TUPLE":
                self.stack.append(OTHER)
            self._value_on_top()
        elif word in ("BINPUT", "LONG_BINPUT"):
            self.memo[int(str(argument))] = self.stack[-1]
        elif word in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(str(argument))])
        else:
            self._other(word, argument)

    def _other(self, word: str, argument: object) -> None:
        if word == "MARK":
            self.stack.append(MARK)
        elif word == "GLOBAL":
            if not NAMES.fullmatch(str(argument)):
                raise ValueError(f"it names {str(argument)[:60]!r}")
            self.stack.append(str(argument))
        elif word == "REDUCE":
            self._drop(1)
            if self.stack.pop() in (OTHER, MARK):
                raise ValueError("it calls what is no function")
            self.stack.append(OTHER)
        elif word not in ("PROTO", "STOP"):
            raise ValueError(f"it holds the word {word}")

    def _drop(self, count: int) -> None:
        if len(self.stack) < count or MARK in self.stack[len(self.stack) - count :]:
            raise IndexError("a value is missing")
        del self.stack[len(self.stack) - count :]

    def _drop_to_mark(self) -> None:
        while self.stack.pop() != MARK:
            pass

    def _value_on_top(self) -> None:
        if self.stack[-1] != OTHER:
            raise ValueError("it puts values into what is no container")
