"""Sizes of the frequency-based motion GAN."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from moviola.core.config import Config

DiscriminatorKind = Literal["image", "patch-image", "video", "patch-video", "time-difference"]


class FreqMotionConfig(Config):
    """Sizes of `FreqMotionGenerator`; the defaults are the paper's at 256x256.

    Attributes:
        size: H = W of a frame, px; a power of two, 8 or more.
        frames: frames that fill the clock's [-1, 1): one frame is 2 / frames time units.
        fps: frames a second of the data, that is of one clock step of 2 / frames.
        content, motion: sizes of the latents z_c and z_m (of what z_m has for the mapping network).
        style: D of w.
        content_layers, motion_layers: of the two mapping networks. With 0 layers a motion code is the latent itself.
        rate: multiplier of the mapping networks' learning rate.
        center: take away the mean motion code of the start, and let the scales have no part that all codes share. What
            leaves a leaky ReLU has a mean, and a short training then gives all videos one motion (ours).
        gated: multiply z_m by gates that its squares decide, in place of the motion mapping network. The code keeps the
            sign of z_m, so that its mean is zero whatever is learned: no motion is common to all videos (ours).
        ranges: |omega| (radians a time unit) that each bank of sinusoids starts in, lowest first.
        features: sinusoids of a bank.
        learned: whether omega and phi are trained.
        stationary: spread the phases over the whole circle at the start, in place of (-1, 1) (ours). In the paper's
            form sines outweigh cosines: motion swells and sinks at the same times in all videos.
        shifts: begin each bank's sinusoids at a time of their own, drawn for each video. Motion is then equally likely
            at every phase, whatever the motion code has learned (ours); without it a short training locks the phases
            of all videos together.
        parts: number of things that move apart; 0 for the paper's form, in which a bank moves what it has learned to.
            Above 0 the features of all banks are dealt out to so many parts; in each video a part is moved by one bank
            alone, drawn evenly, at a time of its own, by scales of one size, and all banks move it one way. Each
            part then has one speed in a video, and every speed in some (ours).
        activate: leaky ReLU between the modulated and the second layer of a bank (the paper's form); without it w(t)
            holds no frequency but the bank's own.
        trend: number of learned features that grow with time, slope_i t; for motion in one direction (ours).
        widths: C at 4, 8, 16 ... px, one for each resolution up to `size`.
        channels: C of a frame.
    """

    family: Literal["freqmotion"] = "freqmotion"
    size: int = Field(default=256, ge=8)
    frames: int = Field(default=16, ge=2)
    fps: float = Field(default=25.0, gt=0)
    content: int = Field(default=512, ge=1)
    motion: int = Field(default=512, ge=1)
    style: int = Field(default=512, ge=1)
    content_layers: int = Field(default=8, ge=1)
    motion_layers: int = Field(default=2, ge=0)
    rate: float = Field(default=0.01, gt=0)
    center: bool = False
    gated: bool = False
    ranges: tuple[tuple[float, float], ...] = Field(default=((0.0, 7.0),), min_length=1)
    features: int = Field(default=512, ge=1)
    learned: bool = True
    stationary: bool = False
    shifts: bool = False
    parts: int = Field(default=0, ge=0)
    activate: bool = True
    trend: int = Field(default=0, ge=0)
    widths: tuple[int, ...] = (512, 512, 512, 512, 512, 256, 128)
    channels: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.size & (self.size - 1):
            raise ValueError(f"size is a power of two, such as 32, 64 or 128, not {self.size}")
        expected = self.size.bit_length() - 2
        if len(self.widths) != expected:
            raise ValueError(f"widths has one entry for each of 4, 8 ... {self.size} px, {expected} in all")
        for low, high in self.ranges:
            if not 0 <= low < high:
                raise ValueError(
                    f"a range of frequencies is (low, high) with 0 <= low < high, not ({low}, {high})"
                )
        if any(a[0] > b[0] for a, b in zip(self.ranges, self.ranges[1:], strict=False)):
            raise ValueError("ranges of frequencies go from low to high")
        if self.parts and (not self.shifts or self.activate or self.trend or self.parts > self.features):
            raise ValueError(
                "parts need shifts, no activate, no trend, and as many features or more; set model.shifts=true "
                "model.activate=false model.trend=0"
            )
        return self

    @property
    def motion_latent(self) -> int:
        """D of z_m: `motion`; two numbers for each bank, or each part, whose direction is its shift; and for each part
        one for each bank, the largest of which is the bank that moves it."""
        banks = len(self.ranges)
        drawn_count = self.parts * (banks + 2) if self.parts else 2 * banks
        return self.motion + (drawn_count if self.shifts else 0)

    @property
    def clock_step(self) -> float:
        """Time units of one frame."""
        return 2 / self.frames


class DiscriminatorConfig(Config):
    """Sizes of one discriminator.

    Attributes:
        kind: "image" (one frame), "patch-image" (one frame, a score a patch), "video" (3-D, the whole clip),
            "patch-video" (3-D, a score a patch), or "time-difference" (a few frames and the time between them).
        size: H = W of a frame, px.
        frames: T of what it sees: 1 for the image kinds, the clip's length for the video kinds, 2 in the paper for
            "time-difference" (more, equally spaced, see more of a motion).
        widths: C at full resolution, at half of it, and so on down to 4 px (image kinds and "time-difference"), or of
            the successive 3-D layers.
        absolute: tell it when the first frame stands on the clock, besides the time between frames ("time-difference").
            Real clips begin at no time in particular; where all drawn ones are alike at one time, this shows it (ours).
        pack: clips that are judged together, stacked as channels ("time-difference" and the image kinds; 1 in the
            paper). Two clips side by side show that a generator gives all videos one motion (Lin et al. 2018,
            "PacGAN").
        group: clips whose spread is appended as a feature (minibatch standard deviation); 1 for none.
        channels: C of a frame.
    """

    kind: DiscriminatorKind = "time-difference"
    size: int = Field(default=256, ge=8)
    frames: int = Field(default=2, ge=1)
    widths: tuple[int, ...] = (128, 256, 512, 512, 512, 512, 512)
    absolute: bool = False
    pack: int = Field(default=1, ge=1)
    group: int = Field(default=4, ge=1)
    channels: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        image = self.kind in ("image", "patch-image")
        if image and self.frames != 1:
            raise ValueError(f"a discriminator of the kind {self.kind} sees 1 frame, not {self.frames}")
        if self.absolute and self.kind != "time-difference":
            raise ValueError("only the time-difference discriminator is told when a clip begins")
        if self.pack > 1 and "video" in self.kind:
            raise ValueError(f"a discriminator of the kind {self.kind} sees one clip at a time")
        if not image and self.frames < 2:
            raise ValueError(f"a discriminator of the kind {self.kind} sees 2 frames or more")
        if self.size & (self.size - 1):
            raise ValueError(f"size is a power of two, not {self.size}")
        expected = self.size.bit_length() - 2
        if self.kind in ("image", "time-difference") and len(self.widths) != expected:
            raise ValueError(f"widths has one entry for each of {self.size} ... 4 px, {expected} in all")
        if not 2 <= len(self.widths) <= expected:
            raise ValueError(f"widths has 2 to {expected} entries")
        return self
