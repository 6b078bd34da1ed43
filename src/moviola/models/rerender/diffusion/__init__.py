"""The diffusion painter: Rerender-A-Video's constraints on any scheduler of the diffusers library."""

from moviola.models.rerender.diffusion.config import (
    AnchorConfig,
    AttentionConfig,
    ColorConfig,
    ControlConfig,
    DiffusionConfig,
    FreeUConfig,
    LoraConfig,
    PixelConfig,
    ShapeConfig,
)
from moviola.models.rerender.diffusion.memory import Memory
from moviola.models.rerender.diffusion.motion import DirectFlows
from moviola.models.rerender.diffusion.painter import DiffusionPainter
from moviola.models.rerender.diffusion.rerender_json import RerenderJson, read_rerender_json
from moviola.models.rerender.diffusion.schedulers import SCHEDULERS

__all__ = [
    "SCHEDULERS",
    "AnchorConfig",
    "AttentionConfig",
    "ColorConfig",
    "ControlConfig",
    "DiffusionConfig",
    "DiffusionPainter",
    "DirectFlows",
    "FreeUConfig",
    "LoraConfig",
    "Memory",
    "PixelConfig",
    "RerenderJson",
    "ShapeConfig",
    "read_rerender_json",
]
