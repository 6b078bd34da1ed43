"""What the whole suite shares: short, repeatable property tests, the optional folder of real media, own caches.

A test must not depend on what the machine's user did before: clips and features go to an empty cache, and the caches of
other libraries are empty too. Only the fetched outside networks are those of the machine (`make networks`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# no deadline: a busy machine is no bug; derandomized in CI so that a red run can be repeated
settings.register_profile(
    "moviola",
    max_examples=25,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("moviola")


def pytest_configure(config: pytest.Config) -> None:
    """Give the run (and each of its workers, and what they start) caches of its own."""
    from moviola.core.paths import cache_dir

    folder = Path(tempfile.mkdtemp(prefix="moviola-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    weights = cache_dir() / "weights"
    if weights.is_dir():
        (folder / "weights").symlink_to(weights.resolve(), target_is_directory=True)
    # before any library reads them at its import; none of these folders holds anything
    os.environ["MOVIOLA_CACHE"] = str(folder)
    os.environ["HF_HOME"] = str(folder / "huggingface")
    os.environ["TORCH_HOME"] = str(folder / "torch")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real media: $MOVIOLA_SHARED, or `shared` beside the checkout; the test is skipped without it."""
    named = os.environ.get("MOVIOLA_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not (folder / "media").is_dir():
        pytest.skip(f"no real media at {folder}; set MOVIOLA_SHARED to the folder that holds media/")
    return folder


@pytest.fixture(scope="session")
def torchrun() -> Callable[..., subprocess.CompletedProcess]:
    """Runs a script or `-m module` in two CPU processes of one thread each; fails with what they said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}

    def run(*words: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [*command, *words], capture_output=True, text=True, timeout=300, env=environment
        )
        assert done.returncode == 0, done.stderr[:3000]
        return done

    return run


@pytest.fixture(scope="session")
def small_grammar():
    """Three slots: a colour that a frame shows, an action, and a side; who jumps can only go up."""
    from moviola.data.grammar import Grammar
    from moviola.data.slots import Rule, Slot, Value

    colours = [
        Value(name=f"{c} hair", heads=("hair",), words=(c,)) for c in ("red", "green", "blue", "white")
    ]
    actions = [Value(name=a, phrases=(a, a[:-1])) for a in ("walks", "jumps", "waves")]
    sides = [Value(name=s, phrases=(s,)) for s in ("left", "right", "up")]
    return Grammar(
        template="a person with {hair} {action} {side}",
        slots=(
            Slot(name="hair", values=tuple(colours), visible=True),
            Slot(name="action", values=tuple(actions)),
            Slot(name="side", values=tuple(sides), visible=True),
        ),
        rules=(Rule(slot="action", value="jumps", then="side", only=("up",)),),
        ignore=("a", "person", "with", "and"),
    )


@pytest.fixture
def tiny_model(small_grammar):
    """A text-to-video model of 32x32 with random weights, large enough that every input matters."""
    import torch

    from moviola.models.nextframe import NextFrameConfig, NextFrameUNet
    from moviola.models.textgan import FrameGenerator, TextGANConfig
    from moviola.models.textvideo import TextToVideo, TextVideoConfig

    sizes, widths = small_grammar.sizes, (8, 8, 8, 8)
    first = FrameGenerator(TextGANConfig(slots=sizes, size=32, latent=4, widths=widths, condition=8))
    after = NextFrameUNet(NextFrameConfig(slots=sizes, size=32, history=4, widths=widths, condition=8))
    generator = torch.Generator().manual_seed(7)
    for network in (first, after):
        for p in network.parameters():
            p.data.normal_(0, 0.25, generator=generator)
    config = TextVideoConfig(size=32, fps=12.5, frames=6, grammar=small_grammar)
    return TextToVideo(config, first.eval(), after.eval())


@pytest.fixture
def tiny_folder(tiny_model, tmp_path):
    """The tiny model, saved."""
    return tiny_model.save_pretrained(tmp_path / "tiny")
