"""What raters are asked: the five qualitative criteria of "Photorealistic Video Generation", section 4.1, or others.

The paper names visual quality, realism, diversity, textual faithfulness and coherence and says in a sentence what each
looks at; the questions here put that to a person who sees two clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from moviola.core.errors import ConfigError, check_name
from moviola.pipelines.study.records import Criterion

CRITERIA: dict[str, Criterion] = {
    criterion.key: criterion
    for criterion in (
        Criterion(key="visual-quality", title="Visual quality", question="Which one looks better?"),
        Criterion(key="realism", title="Realism", question="Which one is closer to reality?"),
        Criterion(key="diversity", title="Diversity", question="Which one shows more variety?"),
        Criterion(key="coherence", title="Coherence", question="Which one is smoother and holds together better?"),
        Criterion(
            key="textual-faithfulness", title="Textual faithfulness",
            question="Which one shows better what the text says?", captioned=True,
        ),
    )
}  # fmt: skip
"""By key, in the order in which they are asked."""


def find_criteria(words: Sequence[str] | None) -> list[Criterion]:
    """Return the criteria that were asked for.

    Args:
        words: each a key of `CRITERIA`, several with commas between, or "NAME=QUESTION" for one's own; None for all.

    Raises:
        UnknownNameError: no such key. ConfigError: a name twice, or no name or question.
    """
    if words is None:
        return list(CRITERIA.values())
    chosen: dict[str, Criterion] = {}
    for criterion in [c for word in words for c in _parse(word)]:
        if criterion.key in chosen:
            raise ConfigError(f"--criteria names {criterion.key} twice")
        chosen[criterion.key] = criterion
    if not chosen:
        raise ConfigError(f"--criteria names none; there are {', '.join(CRITERIA)}, or NAME=QUESTION")
    return list(chosen.values())


def _parse(word: str) -> list[Criterion]:
    name, sign, question = word.partition("=")
    if not sign:
        keys = [key.strip() for key in word.split(",") if key.strip()]
        for key in keys:
            check_name("criterion", key, CRITERIA)
        return [CRITERIA[key] for key in keys]
    name, question = name.strip(), question.strip()
    key = re.sub(r"[\W_]+", "-", name.casefold()).strip("-")
    if not key or not question:
        raise ConfigError(
            f"--criteria {word!r} must be NAME=QUESTION, as in 'hands=Which hands look better?'"
        )
    return [Criterion(key=key, title=name[:1].upper() + name[1:], question=question)]
