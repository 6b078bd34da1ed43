"""The text-to-frame GAN: a caption and noise to one frame."""

from moviola.models.textgan.config import CriticConfig, TextGANConfig
from moviola.models.textgan.critic import FrameCritic
from moviola.models.textgan.generator import FrameGenerator

__all__ = ["CriticConfig", "FrameCritic", "FrameGenerator", "TextGANConfig"]
