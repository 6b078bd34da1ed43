"""The next-frame networks by their form: one way to make one, one way to load one."""

from __future__ import annotations

from pathlib import Path

from moviola.core.errors import WeightsError
from moviola.core.weights import read_config
from moviola.models.nextframe.config import NextFrameConfig
from moviola.models.nextframe.faithful2d import NextFrameUNet2d
from moviola.models.nextframe.network import NextFrameUNet
from moviola.models.nextframe.unet3d import NextFrameUNet3d

NextFrameNetwork = NextFrameUNet | NextFrameUNet2d | NextFrameUNet3d
"""Any form: `network(history, count, slots)`, with `network.config`; see `NextFrameUNet.forward`."""

_FORMS: dict[str, type[NextFrameUNet] | type[NextFrameUNet2d] | type[NextFrameUNet3d]] = {
    "film": NextFrameUNet,
    "faithful2d": NextFrameUNet2d,
    "unet3d": NextFrameUNet3d,
}


def make_next_frame(config: NextFrameConfig) -> NextFrameNetwork:
    """Return a fresh network of the form and the sizes of `config`."""
    return _FORMS[config.form](config)


class NextFrame:
    """Loads a next-frame network of whatever form."""

    @staticmethod
    def from_pretrained(folder: str | Path) -> NextFrameNetwork:
        """Read a network that `save_pretrained` wrote, of the form its `config.json` names; eval mode, on the CPU.

        Raises:
            WeightsError: no such form, another class, or tensors that do not fit.
        """
        form = read_config(folder).get("form", "film")  # configs from before there were forms name none
        if form not in _FORMS:
            raise WeightsError(f"{folder} holds a network of the form {form!r}; known: {', '.join(_FORMS)}")
        return _FORMS[form].from_pretrained(folder)
