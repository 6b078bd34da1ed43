"""Adapters: what is trained, exact merging, files, and what cannot carry one."""

from __future__ import annotations

import copy
import json
import os
import signal
import sys

import pytest
import torch
from torch import nn

from moviola.core.errors import ConfigError, InputError, UnknownNameError, WeightsError
from moviola.training import lora
from moviola.training.lora import adaptable, add_lora, load_lora, lora_parameters, merge_lora, save_lora

peft = pytest.importorskip("peft", reason="peft is not installed")


class Net(nn.Module):
    """Every kind of layer that can carry an adapter, and some that cannot."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.volume = nn.Conv3d(3, width, (1, 3, 3), padding=(0, 1, 1))
        self.picture = nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.SiLU())
        self.line = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.proj = nn.Linear(width, width)
        self.block = nn.ModuleDict({"proj": nn.Linear(width, 3), "norm": nn.BatchNorm1d(width)})
        self.grouped = nn.Conv1d(width, width, 3, padding=1, groups=2)
        self.wide = nn.Conv1d(width, width, 3, padding=2, dilation=2)
        self.round = nn.Conv1d(width, width, 3, padding=1, padding_mode="circular")
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, video: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, T, H, W) to (B, 3)."""
        x = self.volume(video)
        b, c, t, h, w = x.shape
        x = self.picture(x.transpose(1, 2).reshape(b * t, c, h, w)).mean((2, 3)).view(b, t, c).transpose(1, 2)
        x = self.round(self.wide(self.grouped(self.line(x)))).mean(2)
        return self.block["proj"](self.block["norm"](self.proj(x))) * self.frozen


EVERY = ["volume", "picture.0", "line", "proj", "block.proj"]


def generator(seed: int = 0) -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def video():
    """A batch of two clips."""
    return torch.randn(2, 3, 4, 8, 8, generator=generator())


@pytest.fixture
def net():
    """The network, with random weights."""
    made = Net()
    draw = generator(1)
    for p in made.parameters():
        if p.requires_grad:
            p.data.normal_(0, 0.3, generator=draw)
    return made.eval()


def shake(network: nn.Module) -> nn.Module:
    """Give the adapters values as if they had been trained."""
    draw = generator(2)
    for p in lora_parameters(network):
        p.data.normal_(0, 0.3, generator=draw)
    return network


def test_layers_that_can_carry_one(net):
    """Grouped, dilated and circular convolutions cannot: merging them would not be exact."""
    assert sorted(adaptable(net)) == sorted(EVERY)


def test_shared_parametrized_and_attention_layers_are_left_out():
    """Nor can layers that are used twice, whose weight is computed, or that attention reads itself."""
    net = nn.Module()
    net.one = nn.Linear(4, 4)
    net.two = net.one
    net.tied, net.other = nn.Linear(4, 4), nn.Linear(4, 4)
    net.other.weight = net.tied.weight
    net.attention = nn.MultiheadAttention(4, 2)
    net.normed = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4))
    net.free = nn.Linear(4, 4)
    assert adaptable(net) == ["free"]


def test_nothing_changes_at_first_and_two_networks_agree(net, video):
    """B starts at zero; the seed alone decides A."""
    before = net(video)
    twin = add_lora(copy.deepcopy(net), 2, seed=5)
    torch.randn(3)  # the global generator does not matter
    add_lora(net, 2, seed=5)
    assert torch.equal(net(video), before)
    assert all(torch.equal(a, b) for a, b in zip(lora_parameters(net), lora_parameters(twin), strict=True))
    assert any(bool(p.any()) for p in lora_parameters(net))


def test_only_adapters_train(net, video):
    """After steps of an optimizer over all parameters, with weight decay, the old weights are bit-equal."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    add_lora(net, 2)
    start = [p.detach().clone() for p in lora_parameters(net)]
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.1)
    losses = []
    for _ in range(5):
        loss = (net(video) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = {k.replace(".base_layer", ""): v for k, v in net.state_dict().items() if ".lora_" not in k}
    assert after.keys() == before.keys()
    assert all(torch.equal(after[k], before[k]) for k in before)
    assert all(not torch.equal(a, b) for a, b in zip(start, lora_parameters(net), strict=True))
    trained = {name for name, p in net.named_parameters() if p.requires_grad}
    assert len(trained) == 2 * len(EVERY) and all(".lora_" in name for name in trained)


def test_merges_exactly(net, video):
    """Same output, plain keys, the same parameters trainable as before, and a weight of W + alpha / r B A."""
    keys, trainable = list(net.state_dict()), [p.requires_grad for p in net.parameters()]
    old = {name: net.get_submodule(name).weight.detach().clone() for name in EVERY}
    shake(add_lora(net, 2, alpha=3.0))
    a = {name: net.get_submodule(name).lora_A["default"].weight.detach() for name in EVERY}
    b = {name: net.get_submodule(name).lora_B["default"].weight.detach() for name in EVERY}
    with_adapters = net(video)
    assert merge_lora(net) is net
    assert torch.allclose(net(video), with_adapters, atol=1e-5)
    assert list(net.state_dict()) == keys
    assert [p.requires_grad for p in net.parameters()] == trainable
    for name in EVERY:
        update = torch.einsum("or,r...->o...", b[name].flatten(1), a[name])
        assert torch.allclose(net.get_submodule(name).weight, old[name] + 1.5 * update, atol=1e-6)
    assert add_lora(net, 1) is net  # and once more


def test_a_copy_merges_while_training_goes_on(net, video):
    """As a run does that saves in the middle."""
    shake(add_lora(net, 2))
    merged = merge_lora(copy.deepcopy(net))
    assert torch.allclose(merged(video), net(video), atol=1e-5)
    assert lora_parameters(net) and all(p.requires_grad for p in lora_parameters(net))


def test_targets_by_name_ending_and_pattern(net):
    """A name, an ending and a shell pattern; a name at the top is not the ending of others."""
    assert adapted(add_lora(copy.deepcopy(net), 1, targets=["volume"])) == ["volume"]
    assert adapted(add_lora(copy.deepcopy(net), 1, targets=["proj"])) == ["block.proj", "proj"]
    assert adapted(add_lora(copy.deepcopy(net), 1, targets=["block.*", "line"])) == ["block.proj", "line"]
    assert adapted(add_lora(copy.deepcopy(net), 1, targets=["[p]roj"])) == ["proj"]


def adapted(net: nn.Module) -> list[str]:
    """Names of the layers with adapters."""
    return sorted({name.split(".lora_")[0] for name, _ in net.named_parameters() if ".lora_" in name})


def test_saves_and_loads_adapters_alone(net, video, tmp_path):
    """The file holds nothing else, and brings another copy of the base to the same output."""
    from safetensors.torch import load_file

    base = copy.deepcopy(net)
    shake(add_lora(net, 2, targets=["volume", "proj"]))
    folder = save_lora(net, tmp_path / "new")
    tensors = load_file(folder / lora.WEIGHTS_NAME)
    assert len(tensors) == 6 and all(".lora_" in key for key in tensors)
    assert sorted(p.name for p in folder.iterdir()) == [lora.CONFIG_NAME, lora.WEIGHTS_NAME]
    loaded = load_lora(copy.deepcopy(base), folder)
    assert torch.equal(loaded(video), net(video))
    assert all(p.requires_grad for p in lora_parameters(loaded))
    assert torch.allclose(merge_lora(loaded)(video), net(video), atol=1e-5)


def test_peft_itself_reads_the_files(net, video, tmp_path):
    """The format is the library's own."""
    base = copy.deepcopy(net)
    save_lora(shake(add_lora(net, 2, alpha=1.0)), tmp_path)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path).eval()
    assert torch.allclose(theirs(video), net(video), atol=1e-6)


def test_buffers_that_moved_come_along(net, video, tmp_path):
    """Running means (and a codebook) change in training without being trained."""
    base = copy.deepcopy(net)
    shake(add_lora(net, 2)).train()
    net(video)
    net.eval()
    folder = save_lora(net, tmp_path)
    assert (folder / lora.BUFFERS_NAME).is_file()
    assert torch.equal(load_lora(base, folder)(video), net(video))


def test_an_average_of_the_adapters(net, video):
    """The trainer's EMA copies and follows a network with adapters."""
    from moviola.training.ema import EMA

    add_lora(net, 2)
    average = EMA(net, 0.5)
    shake(net)
    average.update(net, 1000)
    start, end = average.module.state_dict(), net.state_dict()
    key = "proj.lora_B.default.weight"
    assert torch.allclose(start[key], end[key] / 2)
    assert torch.equal(start["proj.base_layer.weight"], end["proj.base_layer.weight"])


def test_the_loop_trains_adapters_alone_and_resumes_bit_for_bit(toys, tmp_path):
    """With averaging, bfloat16 and an optimizer over all parameters; halted by ctrl-C in the middle of a step."""

    def trainer(name, hook=lambda step, where: None):
        torch.manual_seed(1)
        objective = toys.Adversarial(hook)
        add_lora(objective.made, 2)
        return toys.trainer(objective, tmp_path / name, precision="bf16", ema=0.9)

    def interrupt(step, where):
        if (step, where) == (4, "middle"):
            os.kill(os.getpid(), signal.SIGINT)

    straight = trainer("straight")
    before = {k: v.clone() for k, v in straight.objective.made.state_dict().items()}
    straight.run()
    halted = trainer("halted", interrupt)
    with pytest.raises(KeyboardInterrupt):
        halted.run()
    resumed = trainer("halted")
    assert resumed.resume() and resumed.step == 5
    resumed.run()
    for one, other in zip(networks(straight), networks(resumed), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))
    moved = {k for k, v in straight.objective.made.state_dict().items() if not torch.equal(v, before[k])}
    running = {k for k in before if "running" in k or "num_batches" in k}
    assert moved - running == {k for k in before if ".lora_" in k}


def networks(trainer):
    """State dicts of everything a run ends with."""
    return [m.state_dict() for m in (*trainer.objective.modules.values(), *trainer.best_modules().values())]


def test_wrong_requests(net, tmp_path):
    """One line each, and the network stays as it was."""
    keys = list(net.state_dict())
    for wrong in ({"rank": 0}, {"dropout": 1.0}, {"targets": []}):
        with pytest.raises(ConfigError):
            add_lora(net, **wrong)
    with pytest.raises(UnknownNameError, match=r"did you mean volume\?"):
        add_lora(net, 2, targets=["volum"])
    with pytest.raises(UnknownNameError):
        add_lora(net, 2, targets=["grouped"])
    with pytest.raises(ConfigError, match="no layer of a ReLU"):
        add_lora(nn.ReLU())
    for act in (merge_lora, lora_parameters, lambda n: save_lora(n, tmp_path)):
        with pytest.raises(ConfigError, match="has no adapters"):
            act(net)
    assert list(net.state_dict()) == keys
    add_lora(net, 1)
    with pytest.raises(ConfigError, match="already"):
        add_lora(net, 1)


def test_adapters_of_another_network(net, tmp_path):
    """Another class, other layers, other sizes, no files, a damaged config: refused before anything changes."""
    base = copy.deepcopy(net)
    folder = save_lora(shake(add_lora(net, 2)), tmp_path / "a")
    with pytest.raises(WeightsError, match="for a Net, not for a Linear"):
        load_lora(nn.Linear(2, 2), folder)
    with pytest.raises(WeightsError, match="has the shape"):
        load_lora(Net(width=8), folder)
    fewer = copy.deepcopy(base)
    fewer.line = nn.Identity()
    with pytest.raises(WeightsError, match="see layer line"):
        load_lora(fewer, folder)
    with pytest.raises(WeightsError, match="is no folder of adapters"):
        load_lora(base, tmp_path)
    config = folder / lora.CONFIG_NAME
    config.write_text(json.dumps({**json.loads(config.read_text()), "r": "two"}))
    with pytest.raises(WeightsError, match="not a readable config"):
        load_lora(base, folder)
    assert not any(".lora_" in key for key in base.state_dict())


def test_values_that_are_not_finite_are_not_merged(net):
    """The weights stay whole."""
    shake(add_lora(net, 2))
    lora_parameters(net)[-1].data.fill_(float("nan"))
    before = net.proj.base_layer.weight.clone()
    with pytest.raises(WeightsError, match="not finite"):
        merge_lora(net)
    assert torch.equal(net.proj.base_layer.weight, before)


def test_without_peft(net, monkeypatch):
    """One line that says what to install."""
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(
        InputError, match=r"^a low-rank adapter needs peft; run in .*: pip install .*\[train\]'$"
    ):
        add_lora(net, 2)


def refiner(name: str) -> nn.Module:
    """A small refiner of each family, with random weights, the same each time."""
    from moviola.core.seeds import seeded
    from moviola.models.regis.fuse import FuseConfig, FuseRefiner
    from moviola.models.regis.unet import UnetConfig, UnetRefiner
    from moviola.models.regis.vq import VqConfig, VqRefiner

    sizes = {"frames": 4, "size": 16}
    with seeded(3):
        if name == "vq":
            sides = {"codes": 8, "code_width": 4, "hidden": 8, "layers": 1, "downsample": (2, 4, 4)}
            made = VqRefiner(VqConfig(**sizes, **sides))
        elif name == "unet":
            made = UnetRefiner(UnetConfig(**sizes, dim=8, multipliers=(1, 2), blocks=1, heads=2, head=8))
        else:
            layers = {"encoder": 8, "encoder_layers": 1, "blocks": 1}
            made = FuseRefiner(FuseConfig(**sizes, **layers, width=16, heads=2, fusion=2))
        for p in made.parameters():
            p.data.normal_(0, 0.1)
    return made.eval()


@pytest.mark.parametrize("name", ["vq", "unet", "fuse"])
def test_refiners(name, tmp_path):
    """Each family takes adapters in nearly every layer; they train alone, are saved, loaded and merged."""
    net = refiner(name)
    clip = torch.rand(1, 4, 3, 16, 16, generator=generator()) * 2 - 1
    keys, base = list(net.state_dict()), net.refine(clip)
    layers = adaptable(net)
    weights = [m for m in net.modules() if type(m) in (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)]
    assert len(layers) > 0.8 * len(weights)
    assert torch.equal(add_lora(net, 2).refine(clip), base)
    assert all(".lora_" in key for key, p in net.named_parameters() if p.requires_grad)
    shake(net)
    changed = net.refine(clip)
    assert not torch.allclose(changed, base, atol=1e-3)
    assert torch.equal(load_lora(refiner(name), save_lora(net, tmp_path)).refine(clip), changed)
    assert torch.allclose(merge_lora(net).refine(clip), changed, atol=1e-5)
    assert list(net.state_dict()) == keys
    folder = net.save_pretrained(tmp_path / "merged")
    assert torch.equal(type(net).from_pretrained(folder).refine(clip), net.refine(clip))
