"""Slot embeddings: a one-hot matrix times a table."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from moviola.nn.slots import SlotEmbedding


def test_equals_the_one_hot_product():
    """Sum over slots of one-hot(value) @ table, then the small network."""
    sizes = (3, 1, 4)
    module = SlotEmbedding(sizes, 8)
    slots = torch.tensor([[0, 1, 4], [3, 0, 0], [2, 1, 1]])
    tables = module.table.weight.split([s + 1 for s in sizes])
    total = sum(F.one_hot(slots[:, i], n + 1).float() @ tables[i] for i, n in enumerate(sizes))
    assert torch.allclose(module(slots), total + module.mlp(total), atol=1e-6)


def test_every_value_of_every_slot_has_its_own_row():
    """No two rows of slots that differ in one place share a vector."""
    module = SlotEmbedding((2, 3), 8)
    rows = torch.tensor([[a, b] for a in range(3) for b in range(4)])
    made = module(rows)
    assert torch.cdist(made, made).fill_diagonal_(1).min() > 1e-4


def test_starts_are_not_saved():
    """They follow from the config."""
    assert "starts" not in SlotEmbedding((2, 3), 8).state_dict()
