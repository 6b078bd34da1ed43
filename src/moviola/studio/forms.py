"""Forms: what can be said to a verb, and the words of its command line from what was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from moviola.core.errors import ConfigError
from moviola.studio.places import check_words

Kind = Literal["text", "whole", "number", "flag", "choice", "file", "setting"]
_LONGEST = 4000


@dataclass(frozen=True)
class Field:
    """One thing that can be said.

    Attributes:
        name: of it in the form.
        option: of the command line, "--frames"; "" for an argument, which stands at its place.
        kind: what its value is; a "setting" goes to `--set` by its name, and is text.
        help: a line about it.
        default: its usual value; None where that depends.
        required: nothing can be done without it.
        many: several values, a line each.
        main: shown at once; others are one click away.
        choices: values that are known. For a "choice" there are no others.
        prose: text for people, which is never taken for the name of a file.
        about: a text about some of the choices.
    """

    name: str
    option: str
    kind: Kind
    help: str
    default: Any = None
    required: bool = False
    many: bool = False
    main: bool = False
    choices: tuple[str, ...] = ()
    prose: bool = False
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """What can be said to a verb.

    Attributes:
        verb: as it is typed, "edit motion".
        title: a line about it.
        fields: in the order in which they are shown, which is that of the arguments, too.
        suffix: of its output: ".mp4"; "" for a folder.
        output: the option that names the output.
        presets: title and values of often used ones.
        check: raises ConfigError for words, without the verb, that it would refuse to read.
        more: further fields, "setting"s, which take time to find.
    """

    verb: str
    title: str
    fields: tuple[Field, ...]
    suffix: str = ".mp4"
    output: str = "--output"
    presets: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    check: Callable[[list[str]], None] = field(default=lambda words: None, compare=False)
    more: Callable[[], Sequence[Field]] = field(default=lambda: (), compare=False)

    def words(self, values: Mapping[str, Any], output: str) -> list[str]:
        """Return the words of the command line behind the verb.

        Args:
            values: by the names of fields; None, "" and False say nothing.
            output: where the verb shall write.

        Raises:
            ConfigError: a name of no field, a value of another kind, or a required one that is missing.
            RequestError: a value that leads outside the folder.
        """
        known = {one.name: one for one in self.fields}
        if any(name not in known for name in values):
            known |= {one.name: one for one in self.more()}
        unknown = next((name for name in values if name not in known), None)
        if unknown is not None:
            raise ConfigError(f"{self.verb} has no {unknown!r}")
        options: list[str] = []
        arguments: list[str] = []
        for one in known.values():
            for text in texts(one, values.get(one.name)):
                if not one.prose:
                    check_words([text])
                if not one.option:
                    arguments.append(text)
                elif one.kind == "flag":
                    options.append(one.option)
                else:
                    options.append(f"{one.option}={text}")
        words = [*options, f"{self.output}={output}", "--json", "--", *arguments]
        self.check(words)
        return words

    def plain(self) -> dict[str, Any]:
        """Return the form as JSON values."""
        presets = [{"title": title, "values": dict(values)} for title, values in self.presets]
        fields = [asdict(one) for one in self.fields]
        return {
            "verb": self.verb,
            "title": self.title,
            "suffix": self.suffix,
            "fields": fields,
            "presets": presets,
        }


def texts(one: Field, value: Any) -> list[str]:
    """Return the values of a field as words of a command line, checked; none where nothing was said.

    Raises:
        ConfigError: a value of another kind, or a required one that is missing.
    """
    if one.kind == "flag":
        if not isinstance(value, bool | None):
            raise ConfigError(f"{one.name} is {value!r}; it must be yes or no")
        return ["yes"] if value else []
    parts = value if isinstance(value, list) else [value]
    given = [str(part).strip() for part in parts if part is not None and str(part).strip()]
    if one.required and not given:
        raise ConfigError(f"{one.name} is needed: {one.help}")
    if len(given) > 1 and not one.many:
        raise ConfigError(f"{one.name} takes one value, not {len(given)}")
    checked = [_checked(one, text) for text in given]
    return [f"{one.name}={text}" for text in checked] if one.kind == "setting" else checked


def _checked(one: Field, text: str) -> str:
    if len(text) > _LONGEST or "\0" in text:
        raise ConfigError(f"{one.name} has {len(text)} characters; at most {_LONGEST} are taken")
    if one.kind in ("whole", "number"):
        try:
            (int if one.kind == "whole" else float)(text)
        except ValueError:
            what = "a whole number" if one.kind == "whole" else "a number"
            raise ConfigError(f"{one.name} is {text!r}; it must be {what}") from None
    if one.kind == "choice" and text not in one.choices:
        raise ConfigError(f"{one.name} is {text!r}; it is {' or '.join(one.choices)}")
    return text
