"""The captioned next-frame U-Net: a caption and up to ten frames to the next one."""

from moviola.models.nextframe.config import NextFrameConfig
from moviola.models.nextframe.network import NextFrameUNet
from moviola.models.nextframe.rollout import Change, push, rollout, stream

__all__ = ["Change", "NextFrameConfig", "NextFrameUNet", "push", "rollout", "stream"]
