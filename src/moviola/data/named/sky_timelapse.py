"""SkyTimelapse: frames of time-lapse videos of the sky, by video and clip.

Source: Xiong, Luo, Ma, Liu and Luo 2018, "Learning to Generate Time-Lapse Videos Using Multi-Stage Dynamic Generative
Adversarial Networks".
"""

from __future__ import annotations

from pathlib import PurePosixPath

from moviola.core.errors import InputError
from moviola.data.layouts import FramesClip, suffix_of
from moviola.data.named.base import TRAIN, Check, Member, NamedDataset, Reading, Spec, open_store, unlike

LAYOUT = "sky_train/VIDEO/CLIP/*.jpg and sky_test/VIDEO/CLIP/*.jpg"
FOLDERS: dict[str, str] = {"sky_train": TRAIN, "sky_test": "test"}
CAPTION = "a time-lapse of the sky"
_VIDEOS = {TRAIN: 997, "test": 111}
_CLIPS = {TRAIN: 2392, "test": 225}


def read(spec: Spec) -> Reading:
    """See `NamedDataset`; all clips have the same caption."""
    from moviola.data.codec.formats import IMAGE_SUFFIXES

    store = open_store(spec.path)
    clips: dict[tuple[str, str, str], list[str]] = {}
    skipped = []
    for name in store.names():
        if suffix_of(name) not in IMAGE_SUFFIXES:
            continue
        *_, top, video, clip = ("", "", "", *PurePosixPath(name).parts[:-1])
        if top in FOLDERS:
            clips.setdefault((top, video, clip), []).append(name)
        else:
            skipped.append((name, "not in sky_train/VIDEO/CLIP or sky_test/VIDEO/CLIP"))
    if not clips:
        raise unlike(spec, LAYOUT, store.names(), "no frames three folders deep")
    members = []
    for (top, video, clip), images in clips.items():
        frames = FramesClip(store, f"{top}/{video}/{clip}", None, spec.fps, tuple(images))
        members.append(Member(frames, FOLDERS[top], video, (CAPTION,)))
    _check_apart(clips, spec)
    return Reading(members, _checks(members), skipped)


def _check_apart(clips: dict[tuple[str, str, str], list[str]], spec: Spec) -> None:
    videos = {top: {v for t, v, _ in clips if t == top} for top in FOLDERS}
    both = sorted(videos["sky_train"] & videos["sky_test"])
    if both:
        raise InputError(
            f"{spec.path}: video {both[0]!r} is in sky_train and in sky_test; a video belongs to one split"
        )


def _checks(members: list[Member]) -> list[Check]:
    checks = []
    for split in _VIDEOS:
        split_members = [member for member in members if member.split == split]
        checks.append(
            Check(f"videos of {split}", _VIDEOS[split], len({member.group for member in split_members}))
        )
        checks.append(Check(f"clips of {split}", _CLIPS[split], len(split_members)))
    return checks


DATASET = NamedDataset(
    name="sky-timelapse",
    title="SkyTimelapse (Xiong et al. 2018)",
    splits=(TRAIN, "test"),
    split_rule="the authors', by video",
    url="https://github.com/weixiong-ur/mdgan",
    licence="videos from the web, under their owners' terms; for research",
    layout=LAYOUT,
    read=read,
)
