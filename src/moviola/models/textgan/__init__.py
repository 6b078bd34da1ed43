"""The text-to-frame GAN: a caption and noise to one frame, in our form and in the authors'."""

from moviola.models.textgan.config import CriticConfig, GanClsConfig, GanClsCriticConfig, TextGANConfig
from moviola.models.textgan.critic import FrameCritic
from moviola.models.textgan.forms import FirstFrameGenerator, load_first_frame
from moviola.models.textgan.gan_cls import GanClsDiscriminator, GanClsGenerator, ImageEncoder
from moviola.models.textgan.generator import FrameGenerator

__all__ = [
    "CriticConfig",
    "FirstFrameGenerator",
    "FrameCritic",
    "FrameGenerator",
    "GanClsConfig",
    "GanClsCriticConfig",
    "GanClsDiscriminator",
    "GanClsGenerator",
    "ImageEncoder",
    "TextGANConfig",
    "load_first_frame",
]
