"""Two processes under torchrun against one with the double batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from moviola.training import checkpoint
from moviola.training.distributed import (
    Place,
    any_rank,
    average_gradients,
    average_scalars,
    join,
    leave,
)


@pytest.mark.slow
def test_two_ranks_equal_one_with_the_double_batch(toys, torchrun, tmp_path):
    """Same samples, averaged gradients: latents, momentum and EMA agree within rounding; ranks agree exactly.

    The spare layer, without a gradient anywhere, is left alone as in one process (weight decay would move it).
    """
    torchrun(toys.__file__, str(tmp_path), "ranks")
    first, second = (load_file(str(tmp_path / f"rank{r}.safetensors")) for r in range(2))
    assert first.keys() == second.keys()
    # momentum and weights are equal bit for bit, whatever each rank began with
    assert [k for k in first if not k.startswith("rng") and not torch.equal(first[k], second[k])] == []
    torch.manual_seed(0)  # what rank 0 began with
    alone = toys.trainer(toys.Decoder(), tmp_path / "alone", steps=5, sample_every=0, batch=8)
    spare = alone.objective.spare.weight.detach().clone()
    alone.run()
    tensors, _ = checkpoint.flatten(alone.state())
    assert tensors.keys() == first.keys()
    for name, tensor in tensors.items():
        if not name.startswith("rng"):
            assert torch.allclose(tensor, first[name], atol=2e-6, rtol=1e-4), name
    assert torch.equal(first["modules/spare/weight"], spare)
    logs = [
        [json.loads(x) for x in (f / "log.jsonl").read_text().splitlines()]
        for f in (tmp_path, tmp_path / "alone")
    ]
    for a, b in zip(*logs, strict=True):
        for key in ("step", "all/loss", "all/size", "all/grad"):
            assert a[key] == pytest.approx(b[key], rel=1e-4)


@pytest.mark.slow
def test_the_command_under_torchrun(torchrun, tmp_path):
    """One model folder, one JSON object, one log."""
    out = tmp_path / "model"
    settings = [
        "trainer.steps=2",
        "trainer.save_every=1",
        "trainer.sample_every=0",
        "trainer.log_every=1",
        "data.count=64",
    ]
    words = [w for s in settings for w in ("--set", s)]
    done = torchrun(
        "-m", "moviola", "train", "nextframe_debug", "-o", str(out), "--json", "--device", "cpu", *words
    )
    said = json.loads(done.stdout)
    assert said["output"] == str(out) and said["steps"] == 2
    assert [json.loads(x)["step"] for x in Path(said["log"]).read_text().splitlines()] == [1, 2]
    assert (out / "next" / "model.safetensors").is_file()


def test_alone():
    """Without torchrun: rank 0 of 1, and nothing is averaged."""
    place = join("cpu")
    assert place == Place(0, 1, torch.device("cpu")) and place.main
    assert not Place(1, 2, torch.device("cpu")).main
    w = torch.nn.Parameter(torch.ones(2))
    average_gradients([w], 1)
    assert w.grad is None
    assert average_scalars({"a": 1.5}, place) == {"a": 1.5}
    assert any_rank(True, place) and not any_rank(False, place)
    leave()
