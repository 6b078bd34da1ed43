"""Captions of a closed vocabulary: text to slots, slots to text.

A grammar has slots (hair, action, ...), each with a few values. A caption fills slots; a slot that is not mentioned is
0, value k of a slot is k + 1. The row of slots is what the networks see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from string import Formatter
from typing import TYPE_CHECKING

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import PromptError, nearest
from moviola.core.words import split_words
from moviola.data.elements import join_elements, split_elements, split_rows
from moviola.data.slots import Rule, Slot, Value

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Parse:
    """What a caption says: for each slot the values it allows (None: any), and what was not understood.

    A rule may narrow a slot that the caption does not speak of; `mentioned` holds the indices of those it speaks of.
    """

    allowed: list[frozenset[int] | None]
    unknown: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mentioned: set[int] = field(default_factory=set)


class Grammar(Config):
    """A closed caption language.

    Attributes:
        template: a caption with `{slot}` places; empty for a grammar of words (see `from_captions`).
        slots: in the order of the networks' inputs.
        rules: combinations that do not exist.
        ignore: words that say nothing ("a", "person").
        elements: how many things one caption may speak of ("a 3 spins clockwise and a 7 moves up and down"). The
            networks' inputs are the slots of the first, then those of the second, and so on; all are 0 for a thing
            that is not there.
    """

    template: str = ""
    slots: tuple[Slot, ...]
    rules: tuple[Rule, ...] = ()
    ignore: tuple[str, ...] = ()
    elements: int = Field(default=1, ge=1)

    @classmethod
    def from_captions(cls, captions: Iterable[str]) -> Grammar:
        """Learn a grammar of words: slot i is the i-th word of a caption, its values all words seen anywhere.

        This is the one-hot matrix by which the source document represents a sentence. Such captions are taken as
        they are: nothing is drawn for what they leave out.

        Raises:
            PromptError: when there is no word in any caption.
        """
        split = [_words(c) for c in captions]
        words = sorted({w for c in split for w in c})
        if not words:
            raise PromptError("the captions hold no words; a caption file has the columns file and caption")
        values = tuple(Value(name=w) for w in words)
        return cls(slots=tuple(Slot(name=f"word{i + 1}", values=values) for i in range(max(map(len, split)))))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values of each slot, of each thing that a caption may speak of."""
        return tuple(len(slot.values) for slot in self.slots) * self.elements

    def vocabulary(self) -> list[str]:
        """Every word that means something, sorted."""
        if not self.template:
            return [value.name for value in self.slots[0].values]
        words: set[str] = set()
        for slot in self.slots:
            for value in slot.values:
                words.update(value.heads, value.words)
                words.update(w for p in value.phrases for w in p.split())
        return sorted(words - set(self.ignore))

    def caption(self, slots: np.ndarray | list[int]) -> str:
        """Return the caption of a row of slots; a slot that is 0 is not mentioned."""
        if self.elements > 1:
            parts = split_rows(slots, self.elements)
            return join_elements([self.single.caption(part) for part in parts if any(part)])
        names = {
            s.name: s.values[int(k) - 1].name if k else "" for s, k in zip(self.slots, slots, strict=True)
        }
        return (
            _fill_template(self.template, names) if self.template else " ".join(filter(None, names.values()))
        )

    def parse(self, text: str) -> Parse:
        """Read a caption.

        Raises:
            PromptError: when it is empty, holds no known word, or contradicts itself.
        """
        tokens = _words(text)
        if not tokens:
            raise PromptError("the prompt is empty; say for example: " + self.example())
        if not self.template:
            return self._parse_words(tokens)
        if self.elements > 1:
            return self._parse_elements(split_elements(tokens, self._openers()))
        return self._parse_tokens(tokens)

    @property
    def single(self) -> Grammar:
        """The grammar of one thing."""
        return self.model_copy(update={"elements": 1})

    def _openers(self) -> frozenset[str]:
        values = [value for slot in self.slots if slot.visible for value in slot.values]
        return frozenset(phrase.split()[0] for value in values for phrase in value.phrases)

    def _parse_elements(self, pieces: list[list[str]]) -> Parse:
        if len(pieces) > self.elements:
            raise PromptError(
                f"the prompt speaks of {len(pieces)} things; this model draws up to {self.elements}"
            )
        result = Parse([None] * len(self.sizes))
        for k, piece in enumerate(pieces):
            parse, first = self.single._parse_tokens(piece), k * len(self.slots)
            result.allowed[first : first + len(self.slots)] = parse.allowed
            result.unknown += parse.unknown
            result.notes += parse.notes
            result.mentioned |= {first + index for index in parse.mentioned}
        return result

    def _parse_tokens(self, tokens: list[str]) -> Parse:
        consumed = [False] * len(tokens)
        parse = Parse([None] * len(self.slots))
        for index in range(len(self.slots)):
            self._phrases(index, tokens, consumed, parse)
        for index in range(len(self.slots)):
            self._heads(index, tokens, consumed, parse)
        self._collect_unknown(tokens, consumed, parse)
        self._apply_rules(parse)
        return parse

    def fill(self, parse: Parse, rng: np.random.Generator, *, has_frame: bool = False) -> np.ndarray:
        """Choose a value for every slot, at random where the caption leaves it open; int64 (S,), values 1..n.

        Args:
            parse: what `parse` returned.
            rng: source of randomness.
            has_frame: a frame is given, so visible slots that the caption leaves open stay 0.
        """
        import numpy as np

        if not self.template:
            return np.array([min(a) + 1 if a else 0 for a in parse.allowed], dtype=np.int64)
        if self.elements > 1:
            return self._fill_elements(parse, rng, has_frame)
        # One draw a slot, mentioned or not, so that mentioning one more does not change the others.
        draws = rng.random(len(self.slots))
        picks = [_pick(float(d), n, a) for d, n, a in zip(draws, self.sizes, parse.allowed, strict=True)]
        row = np.array(picks, dtype=np.int64) + 1
        for s, v, t, only in self._rule_indices():
            if row[s] == v + 1 and row[t] - 1 not in only:
                row[t] = only[int(draws[t] * len(only))] + 1
        if has_frame:
            open_ = [slot.visible and k not in parse.mentioned for k, slot in enumerate(self.slots)]
            row[np.array(open_)] = 0
        return row

    def _fill_elements(self, parse: Parse, rng: np.random.Generator, has_frame: bool) -> np.ndarray:
        """Fill thing by thing: those mentioned, or as many as are drawn where none is."""
        import numpy as np

        size, count = len(self.slots), 1 + int(rng.random() * self.elements)
        rows = []
        for k in range(self.elements):
            places = range(k * size, (k + 1) * size)
            mentioned = {i - k * size for i in parse.mentioned if i in places}
            part = Parse([parse.allowed[i] for i in places], mentioned=mentioned)
            row = self.single.fill(part, rng, has_frame=has_frame)
            rows.append(row if mentioned or (not parse.mentioned and k < count) else np.zeros_like(row))
        return np.concatenate(rows)

    def follow(
        self, parse: Parse, row: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """Change in a row what a later caption says; what it leaves open stays as it was.

        Where a rule forbids the outcome, what the caption forces gives way (who falls faces the viewer), and so does
        what was done before; a look stays, although such a pair does not exist. Captions of a grammar of words are
        taken whole.

        Args:
            parse: what `parse` returned of the later caption.
            row: int64 (S,), the slots until then; 0 is not mentioned.
            rng: chooses where the caption allows several values and the old one is none of them.

        Returns:
            The new row, int64 (S,), and what a rule did, one line each.
        """
        if not self.template:
            return self.fill(parse, rng), ()
        # One draw a slot, as in `fill`.
        draws = rng.random(len(self.slots))
        result, notes = row.copy(), []
        for k in parse.mentioned:
            allowed = parse.allowed[k]
            if allowed is None or int(row[k]) - 1 not in allowed:
                result[k] = _pick(float(draws[k]), self.sizes[k], allowed) + 1
        for s, v, t, only in self._rule_indices():
            if result[s] != v + 1 or result[t] == 0 or result[t] - 1 in only:
                continue
            names = " or ".join(repr(self.slots[t].values[k].name) for k in only)
            note = f"{self.slots[s].values[v].name!r} exists only with {names}"
            if t not in parse.mentioned:
                result[t] = _pick(float(draws[t]), self.sizes[t], frozenset(only)) + 1
                notes.append(f"{note}; the {self.slots[t].name} was changed to it")
            elif s not in parse.mentioned and not self.slots[s].visible:
                result[s] = _pick(float(draws[s]), self.sizes[s], parse.allowed[s]) + 1
            else:
                notes.append(f"{note}; the model never saw the two together and may draw them badly")
        return result, tuple(notes)

    def example(self) -> str:
        """A caption to show: the first value of every slot, or the first words."""
        if not self.template:
            return " ".join(value.name for value in self.slots[0].values[:4])
        row = [1] * len(self.slots)
        for s, v, t, only in self._rule_indices():
            if row[s] == v + 1 and row[t] - 1 not in only:
                row[t] = only[0] + 1
        return self.single.caption(row)

    def allows(self, slots: np.ndarray | list[int]) -> bool:
        """Whether a full row of slots breaks no rule."""
        return all(
            int(slots[s]) != v + 1 or int(slots[t]) - 1 in only for s, v, t, only in self._rule_indices()
        )

    # -- parsing ------------------------------------------------------------------------------------------

    def _narrow(self, index: int, values: frozenset[int], parse: Parse) -> None:
        previous = parse.allowed[index]
        remaining = values if previous is None else previous & values
        if not remaining:
            slot = self.slots[index]
            alternatives = " and ".join(
                sorted(slot.values[i].name for group in (previous or (), values) for i in list(group)[:1])
            )
            raise PromptError(f"the prompt says two things of the {slot.name}: {alternatives}; choose one")
        parse.allowed[index] = remaining
        parse.mentioned.add(index)

    def _phrases(self, index: int, tokens: list[str], consumed: list[bool], parse: Parse) -> None:
        table: dict[tuple[str, ...], set[int]] = {}
        for k, value in enumerate(self.slots[index].values):
            for phrase in value.phrases:
                table.setdefault(tuple(phrase.split()), set()).add(k)
        for words in sorted(table, key=len, reverse=True):
            n = len(words)
            for i in range(len(tokens) - n + 1):
                if tuple(tokens[i : i + n]) == words and not any(consumed[i : i + n]):
                    consumed[i : i + n] = [True] * n
                    self._narrow(index, frozenset(table[words]), parse)

    def _heads(self, index: int, tokens: list[str], consumed: list[bool], parse: Parse) -> None:
        values = self.slots[index].values
        words = {w for v in values for w in v.words}
        for i, token in enumerate(tokens):
            matches = frozenset(k for k, v in enumerate(values) if token in v.heads)
            if not matches or consumed[i]:
                continue
            consumed[i] = True
            modifiers: list[str] = []
            j = i - 1
            while j >= 0 and not consumed[j] and tokens[j] in words:
                modifiers.append(tokens[j])
                consumed[j] = True
                j -= 1
            fits = frozenset(k for k in matches if all(w in values[k].words for w in modifiers))
            if not fits:
                names = ", ".join(values[k].name for k in sorted(matches))
                raise PromptError(f"there is no {' '.join([*reversed(modifiers), token])}; there is: {names}")
            self._narrow(index, fits, parse)

    def _collect_unknown(self, tokens: list[str], consumed: list[bool], parse: Parse) -> None:
        vocabulary = self.vocabulary()
        for token, is_consumed in zip(tokens, consumed, strict=True):
            if not is_consumed and token not in self.ignore:
                parse.unknown.append((token, self._offers(token, vocabulary)))
        if all(a is None for a in parse.allowed):
            raise self._nothing_known(parse)

    def _nothing_known(self, parse: Parse) -> PromptError:
        words = dict(parse.unknown)  # each once
        word_list = ", ".join(
            f"{w!r}" + (f" (did you mean {' or '.join(n)}?)" if n else "") for w, n in words.items()
        )
        detail = f": {word_list}" if word_list else ""
        return PromptError(f"no word of the prompt is known{detail}; say for example: {self.example()}")

    def _offers(self, token: str, vocabulary: list[str]) -> list[str]:
        """What may have been meant: values that use a known word, else words that look like an unknown one."""
        if token not in vocabulary:
            return nearest(token, vocabulary)
        values = [v for slot in self.slots for v in slot.values]
        names = [v.name for v in values if token in v.words or any(token in p.split() for p in v.phrases)]
        return [name for name in names if name][:3]

    def _parse_words(self, tokens: list[str]) -> Parse:
        value_index = {value.name: k for k, value in enumerate(self.slots[0].values)}
        parse = Parse([None] * len(self.slots))
        words = [t for t in tokens if t in value_index]
        parse.unknown = [(t, nearest(t, value_index)) for t in tokens if t not in value_index]
        if not words:
            raise self._nothing_known(parse)
        if len(words) > len(self.slots):
            raise PromptError(
                f"the prompt has {len(words)} words; this model was trained on captions of up to {len(self.slots)}"
            )
        for i, token in enumerate(words):
            parse.allowed[i] = frozenset({value_index[token]})
        return parse

    # -- rules --------------------------------------------------------------------------------------------

    def _rule_indices(self) -> list[tuple[int, int, int, list[int]]]:
        place = {slot.name: i for i, slot in enumerate(self.slots)}
        number = {(s.name, v.name): k for s in self.slots for k, v in enumerate(s.values)}
        return [
            (place[r.slot], number[r.slot, r.value], place[r.then], [number[r.then, o] for o in r.only])
            for r in self.rules
        ]

    def _apply_rules(self, parse: Parse) -> None:
        previous = None
        while previous != parse.allowed:  # a value that gave way may leave others that break an earlier rule
            previous = list(parse.allowed)
            self._apply_rules_once(parse)

    def _apply_rules_once(self, parse: Parse) -> None:
        for s, v, t, only in self._rule_indices():
            first, second, fits = parse.allowed[s], parse.allowed[t], frozenset(only)
            if first == frozenset({v}):
                if second is not None and not second & fits:
                    # what is done outweighs what is worn
                    if self.slots[s].visible and not self.slots[t].visible:
                        parse.allowed[s] = frozenset(range(len(self.slots[s].values))) - {v}
                        fits = second
                    names = " or ".join(self.slots[t].values[o].name for o in only)
                    parse.notes.append(
                        f"{self.slots[s].values[v].name!r} exists only with {names!r}; one of them gave way"
                    )
                    second = None
                parse.allowed[t] = fits if second is None else second & fits
            elif second is not None and not second & fits:
                every = first if first is not None else frozenset(range(len(self.slots[s].values)))
                parse.allowed[s] = (every - {v}) or every


def _pick(draw: float, values: int, allowed: frozenset[int] | None) -> int:
    """Choose one of `allowed` (None: all of 0 .. values - 1) by `draw` in [0, 1).

    A draw that falls on an allowed value keeps it, so forbidding other values does not change it.
    """
    value = int(draw * values)
    if allowed is None or value in allowed:
        return value
    return sorted(allowed)[int((draw * values - value) * len(allowed))]


def _fill_template(template: str, names: dict[str, str]) -> str:
    """Fill a template, leaving out slots that are not mentioned ("") and the words that only lead to it.

    Places joined by ", " or " and " are a list: the values mentioned are joined anew, and where none is mentioned the
    word before it ("with", "in") goes too.
    """
    parts = [(literal, names[name] if name else "") for literal, name, *_ in Formatter().parse(template)]
    text = ""
    while parts:
        literal, first = parts.pop(0)
        values = [first]
        while parts and parts[0][0] in (", ", " and "):
            values.append(parts.pop(0)[1])
        mentioned = [name for name in values if name]
        lead = literal if mentioned or len(literal.split()) < 2 else literal.rsplit(maxsplit=1)[0] + " "
        text += lead + " and ".join(filter(None, (", ".join(mentioned[:-1]), *mentioned[-1:])))
    return " ".join(text.split())


def _words(text: str) -> list[str]:
    return split_words(text.lower().replace("\u2019", "'").replace("'s", ""))
