"""REGIS-VQ: a clip goes through a codebook learnt from real video, and comes back as the codes can say it."""

from moviola.models.regis.vq.config import VqConfig
from moviola.models.regis.vq.network import VqOutput, VqRefiner

__all__ = ["VqConfig", "VqOutput", "VqRefiner"]
