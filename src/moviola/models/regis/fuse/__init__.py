"""REGIS-Fuse: a transformer over overlapping patches of all frames."""

from moviola.models.regis.fuse.config import FuseConfig
from moviola.models.regis.fuse.network import FuseRefiner

__all__ = ["FuseConfig", "FuseRefiner"]
