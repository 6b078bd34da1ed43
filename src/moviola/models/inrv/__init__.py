"""INR-V: videos as points in the latent space of a hypernetwork."""

from moviola.models.inrv.config import InrvConfig
from moviola.models.inrv.network import InrvModel, slerp

__all__ = ["InrvConfig", "InrvModel", "slerp"]
