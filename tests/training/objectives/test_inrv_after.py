"""What is fitted after a training: the encoder."""

from __future__ import annotations

import torch

from moviola.core.ranges import to_network
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import SinusoidTable
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.training.objectives.inrv_after import fit_encoder


def test_the_encoder_learns_where_clips_are():
    """Codes of whole clips come nearer to the known ones than their mean is; decoder and codes stay as they were."""
    torch.manual_seed(0)
    clips = SinusoidTable(4, sinusoid.Config(size=16, frames=4))
    config = InrvConfig(
        frames=4, height=16, width=16, captions=clips.captions, latent=6, decoder="low-rank", hidden=16, layers=2,
        rank=2, head_hidden=16, head_layers=1, encoder=(16, 32),
    )  # fmt: skip
    model = InrvModel(config)
    model.codes.copy_(torch.randn(4, 6))
    before = {k: v.clone() for k, v in model.state_dict().items() if not k.startswith("encoder")}
    loss = fit_encoder(model, clips, 400, seed=0, batch=8)
    assert loss >= 0
    assert all(torch.equal(model.state_dict()[k], v) for k, v in before.items())
    frames = to_network(torch.stack([torch.from_numpy(clips.read(k)) for k in range(4)]))
    times = model.times(torch.arange(4.0)).expand(4, -1)
    with torch.no_grad():
        code = model.encoder(frames, times)[0]
    spread = model.codes.std(dim=0, unbiased=False)
    error = ((code - model.codes) / spread).square().mean()
    assert float(error) < 0.8  # 1 is what the mean code has
