"""Both forms of the generator behind one name: they take (slots, noise) and have `config.latent`."""

from __future__ import annotations

from pathlib import Path

from moviola.core.weights import read_config
from moviola.models.textgan.gan_cls import GanClsGenerator
from moviola.models.textgan.generator import FrameGenerator

FirstFrameGenerator = FrameGenerator | GanClsGenerator


def load_first_frame(folder: str | Path) -> FirstFrameGenerator:
    """Load the generator that `folder/config.json` names, on the CPU, in eval mode.

    Raises:
        WeightsError: see `PretrainedMixin.from_pretrained`.
    """
    is_cls = read_config(folder).get("family") == "textgan-cls"
    return (GanClsGenerator if is_cls else FrameGenerator).from_pretrained(folder)
