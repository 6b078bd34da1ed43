"""Video GAN whose motion is a sum of learned sinusoids: frequency is speed."""

from moviola.models.freqmotion.bands import Bands
from moviola.models.freqmotion.config import DiscriminatorConfig, FreqMotionConfig
from moviola.models.freqmotion.discriminators import make_discriminator
from moviola.models.freqmotion.network import Codes, FreqMotionGenerator
from moviola.models.freqmotion.reader import MotionReader

__all__ = [
    "Bands",
    "Codes",
    "DiscriminatorConfig",
    "FreqMotionConfig",
    "FreqMotionGenerator",
    "MotionReader",
    "make_discriminator",
]
