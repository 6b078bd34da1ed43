"""What the diffusion painter loads: every file, folder and hub name that its settings mean."""

from __future__ import annotations

from moviola.models.rerender.diffusion.config import MODELS, ControlConfig, DiffusionConfig


def sources(config: DiffusionConfig) -> list[str]:
    """Return what painting with these settings reads weights from, in a fixed order.

    Args:
        config: settings; where they name no network of a ControlNet, its usual ones, for SD 1.5 and for SDXL.
    """
    names = [config.model, *(lora.path for lora in config.loras)]
    for control in config.controls:
        names += _of_control(control)
    return names


def _of_control(control: ControlConfig) -> list[str]:
    from moviola.models.rerender.diffusion.annotators import DEPTH, DETECTOR, POSE

    usual = MODELS.get(control.kind, ()) if control.model is None else (control.model,)
    drawn = {"depth": (DEPTH, None), "openpose": (POSE, DETECTOR)}.get(control.kind, (None, None))
    own = (control.annotator or drawn[0], control.detector or drawn[1])
    return [name for name in (*usual, *own) if name is not None]
