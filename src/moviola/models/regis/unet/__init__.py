"""REGIS-U: a 3-D U-Net with factorised space and time that fills and cleans clips."""

from moviola.models.regis.unet.config import UnetConfig
from moviola.models.regis.unet.network import UnetRefiner

__all__ = ["UnetConfig", "UnetRefiner"]
