"""Roll-outs that go on from step to step."""

from __future__ import annotations

import torch

from moviola.core.ranges import from_network, to_network
from moviola.training.rollout_pool import RolloutPool

K, CYCLE, PERIOD = 4, 8, 5


def batch(begin: bool, rows: int = 4) -> dict[str, torch.Tensor]:
    """Frames of a clip whose frame k is k + 1 everywhere, plus 10 times its row."""
    numbers = torch.arange(CYCLE) % PERIOD + 1
    cycle = (numbers[None] + 10 * torch.arange(rows)[:, None]).to(torch.uint8)
    return {
        "history": torch.zeros(rows, K, 2, 2, 3, dtype=torch.uint8),
        "count": torch.ones(rows, dtype=torch.int64),
        "slots": torch.full((rows, 1), 7),
        "first": torch.zeros(rows, 2, 2, 3, dtype=torch.uint8),
        "future": torch.full((rows, 2, 2, 2, 3), 200, dtype=torch.uint8),
        "cycle": cycle[:, :, None, None, None].expand(-1, -1, 2, 2, 3).contiguous(),
        "lead": torch.zeros(rows, dtype=torch.int64),
        "period": torch.full((rows,), PERIOD if begin else 0),
    }


def pool_of(groups: int, size: int, **settings) -> RolloutPool:
    """A pool in which nothing is ever lost, unless the settings say so."""
    return RolloutPool(groups, size, K, CYCLE, (2, 2), 1, **{"lost": float("inf"), **settings})


def values(frames: torch.Tensor) -> list[int]:
    """The value of each frame of (T, H, W, 3)."""
    return frames[:, 0, 0, 0].tolist()


def test_an_empty_pool_changes_nothing():
    """Before a clip is handed out, the batch is trained on as it is."""
    pool, data = pool_of(1, 2), batch(begin=False)
    rows = pool.rows(data, step=0)
    assert not rows.places.any()
    put = rows.put(data)
    assert all(torch.equal(put[key], data[key]) for key in data)


def test_a_roll_out_goes_on():
    """Its history holds its own frames, its future the clip's true next ones, over the end of the cycle as well."""
    pool = pool_of(1, 2)
    data = batch(begin=True)
    for turn in range(6):
        rows = pool.rows(data, step=turn)
        put = rows.put(data)
        assert rows.places.tolist() == [True, True, False, False]
        time = 1 + 2 * turn
        true = [time % PERIOD + 1, (time + 1) % PERIOD + 1]
        assert values(put["future"][0]) == true
        assert values(put["future"][1]) == [v + 10 for v in true]
        assert put["count"].tolist() == [min(K, time)] * 2 + [1, 1]
        assert values(put["first"][:2]) == [1, 11] and values(put["future"][3]) == [200, 200]
        own = [100 + time, 101 + time]  # what the network draws instead
        frames = [to_network(torch.full((4, 2, 2, 3), v, dtype=torch.uint8)) for v in own]
        pool.go_on(rows, frames)
        assert values(pool.history[0])[-2:] == own
        data = batch(begin=False)
    assert pool.age.tolist() == [12, 12]


def test_groups_take_turns():
    """Each group holds roll-outs of its own."""
    pool = pool_of(2, 2)
    pool.rows(batch(begin=True), step=0)
    assert (pool.period > 0).tolist() == [True, True, False, False]
    assert not pool.rows(batch(begin=False), step=1).places.any()
    assert pool.rows(batch(begin=False), step=2).places.tolist() == [True, True, False, False]


def test_beginning_anew():
    """A clip that is handed out takes the place of a roll-out that is long enough, by its row, and of no other."""
    pool = pool_of(1, 2, length=2)
    frame = to_network(torch.zeros(4, 2, 2, 3, dtype=torch.uint8))
    for turn in range(2):
        pool.go_on(pool.rows(batch(begin=True), step=turn), [frame])
    assert pool.age.tolist() == [2, 2]
    data = batch(begin=True)
    data["period"][1] = 0
    pool.rows(data, step=2)
    assert pool.count.tolist() == [1, 3] and pool.age.tolist() == [0, 2]


def test_what_is_lost_ends():
    """A roll-out whose error is half the clip's variance, or less, goes on; others end."""
    pool, data = pool_of(1, 4, lost=0.5), batch(begin=True)
    rows = pool.rows(data, step=0)
    true = rows.put(data)["future"][:, 0]  # frame 2 of 1 to 5: the mean of the clip is 3, its variance 2
    drawn = torch.stack([true[0], true[1] + 1, true[2] + 2, torch.zeros_like(true[3])])
    pool.go_on(rows, [to_network(drawn)])
    assert (pool.period > 0).tolist() == [True, True, False, False]
    rows = pool.rows(batch(begin=False), step=1)
    assert rows.places.tolist() == [True, True, False, False]


def test_error_is_of_the_frame_just_drawn():
    """Also where the cycle begins again after a lead."""
    pool, data = pool_of(1, 1, lost=0.01), batch(begin=True)
    data["lead"][:], data["period"][:] = 3, 2
    for turn in range(6):
        rows = pool.rows(data, step=turn)
        pool.go_on(rows, [to_network(frame) for frame in rows.put(data)["future"].unbind(dim=1)])
        data = batch(begin=False)
    assert pool.age.tolist() == [12]


def test_what_is_drawn_is_kept_in_eight_bits():
    """As a video would keep it."""
    pool = pool_of(1, 1)
    rows = pool.rows(batch(begin=True), step=0)
    frame = torch.rand(4, 3, 2, 2) * 2 - 1
    pool.go_on(rows, [frame])
    assert torch.equal(pool.history[0, -1], from_network(frame[0]))


def test_a_lead_is_played_once():
    """Frames before the loop come once, those of the loop again and again."""
    pool, data = pool_of(1, 1), batch(begin=True)
    data["lead"][:], data["period"][:] = 3, 2
    futures = []
    for turn in range(4):
        rows = pool.rows(data, step=turn)
        futures += values(rows.put(data)["future"][0])
        pool.go_on(rows, [to_network(torch.zeros(4, 2, 2, 3, dtype=torch.uint8))] * 2)
        data = batch(begin=False)
    assert futures == [2, 3, 4, 5, 4, 5, 4, 5]


def test_flows_are_not_kept():
    """Rows of the pool say that they know none; the others keep theirs."""
    pool = pool_of(1, 2)
    made = batch(begin=True) | {"flow": torch.ones(4, 1, 2, 2, 2)}
    placed = pool.rows(made, 0).put(made)
    assert placed["flow"][:2].isnan().all() and (placed["flow"][2:] == 1).all()
