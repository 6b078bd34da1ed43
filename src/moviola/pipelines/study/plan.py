"""Which clips meet, on which sides and in which order: drawn by the seed, balanced exactly.

Any two methods meet on the clips that both have. Of their n meetings each is on the left in n / 2; where n is odd, the
one left over goes to the method that was on the left less often so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from moviola.core.seeds import numpy_generator
from moviola.pipelines.study.records import Pair

if TYPE_CHECKING:
    from numpy.random import Generator


class Meeting(NamedTuple):
    """Two methods (their numbers) and the clip on which they meet; `left` is shown on the left."""

    left: int
    right: int
    clip: str


Shared = Mapping[tuple[int, int], Sequence[str]]
"""Two methods, the smaller number first, to the names of the clips that both have."""


def draw_pairs(
    shared: Shared,
    caption: Callable[[Meeting], str | None],
    *,
    limit: int | None = None,
    catch: int = 2,
    seed: int = 0,
) -> list[Pair]:
    """Return the pairs of a study in the order in which they are shown.

    Args:
        shared: at least one clip that two methods share.
        caption: what is shown above a meeting.
        limit: at most so many pairs, the catch pairs not counted; every two methods get equally many as far as it goes.
        catch: how many catch pairs, a clip against a damaged copy of itself.
        seed: of the draws.
    """
    meetings = balance_sides(draw_meetings(shared, limit, seed), seed)
    order = numpy_generator(seed, "study", "order").permutation(len(meetings))
    pairs = [
        Pair(clip=meetings[i].clip, left=meetings[i].left, right=meetings[i].right, caption=caption(meetings[i]))
        for i in order.tolist()
    ]  # fmt: skip
    return _spread(pairs, draw_catches(meetings, caption, catch, seed), seed)


def draw_meetings(shared: Shared, limit: int | None, seed: int) -> list[Meeting]:
    """Return who meets on which clip, round by round, so that cutting the list off keeps it balanced."""
    queues = [
        [Meeting(*two, clips[i]) for i in _permutation(len(clips), seed, *two)]
        for two, clips in shared.items()
    ]
    rounds = max(map(len, queues), default=0)
    listed = [queue[turn] for turn in range(rounds) for queue in queues if turn < len(queue)]
    return listed if limit is None else listed[:limit]


def balance_sides(meetings: Sequence[Meeting], seed: int) -> list[Meeting]:
    """Return the meetings with sides drawn: of every two methods, each is equally often on the left."""
    generator = numpy_generator(seed, "study", "sides")
    lefts: dict[int, int] = {}
    turned: list[Meeting] = []
    for two in dict.fromkeys((m.left, m.right) for m in meetings):
        those = [m for m in meetings if (m.left, m.right) == two]
        flips = _flips(len(those), two, lefts, generator)
        for meeting, flip in zip(those, flips, strict=True):
            turned.append(Meeting(meeting.right, meeting.left, meeting.clip) if flip else meeting)
            lefts[turned[-1].left] = lefts.get(turned[-1].left, 0) + 1
    return turned


def draw_catches(
    meetings: Sequence[Meeting], caption: Callable[[Meeting], str | None], count: int, seed: int
) -> list[Pair]:
    """Return catch pairs: clips of as many methods as there are, the damaged copy on each side in turn."""
    generator = numpy_generator(seed, "study", "catch")
    first = int(generator.integers(2))
    methods = sorted({number for m in meetings for number in m[:2]})
    turn = [methods[i] for i in generator.permutation(len(methods))]
    pairs = []
    for number in range(count):
        method = turn[number % len(turn)]
        own = [m for m in meetings if method in m[:2]]
        meeting = own[int(generator.integers(len(own)))]
        pairs.append(
            Pair(
                clip=meeting.clip, left=method, right=method, caption=caption(meeting),
                damaged="left" if (number + first) % 2 else "right",
            )
        )  # fmt: skip
    return pairs


def _flips(n: int, two: tuple[int, int], lefts: Mapping[int, int], generator: Generator) -> list[bool]:
    """Draw which of n meetings are turned: half of them, and of an odd one over what evens out the sides so far."""
    flips = [True] * (n // 2) + [False] * (n // 2)
    if n % 2:
        lead = lefts.get(two[0], 0) - lefts.get(two[1], 0)
        flips.append(bool(generator.integers(2)) if lead == 0 else lead > 0)
    return [flips[i] for i in generator.permutation(n)]


def _spread(pairs: list[Pair], catches: list[Pair], seed: int) -> list[Pair]:
    """Put one catch pair at a random place in each of as many stretches, never first."""
    generator = numpy_generator(seed, "study", "places")
    whole, count = list(pairs), len(catches)
    for number in reversed(range(count)):
        begin, end = (max(1, len(pairs) * k // count) for k in (number, number + 1))
        whole.insert(int(generator.integers(begin, max(begin, end) + 1)), catches[number])
    return whole


def _permutation(n: int, seed: int, *names: int) -> list[int]:
    return numpy_generator(seed, "study", "clips", *names).permutation(n).tolist()
