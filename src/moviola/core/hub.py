"""The model hub, in one place: what of it is on this machine, asking it once, and the line where it gives nothing.

What lies in a model's folder and how it is loaded is the business of those who call this.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moviola.core.errors import WeightsError
from moviola.core.optional import is_installed, require

TIMEOUT = 10
"""Seconds that the hub has for its answer; the libraries themselves would try for half a minute."""
_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


def is_name(text: str) -> bool:
    """Return whether a text has the form of a hub name, owner/name, and is no file or folder here."""
    return bool(_NAME.fullmatch(text)) and not text.endswith(_FILES) and not Path(text).exists()


def check_name(text: str, title: str, instead: str = "") -> None:
    """Refuse what is no hub name.

    Args:
        text: what was given, known to be no folder that can be used.
        title: begins the line. instead: ends it: what would do without the model.

    Raises:
        WeightsError: it is none.
    """
    if not is_name(text):
        line = f"{title}: no file or folder {text!r}; give a model's folder or a hub name (owner/name)"
        raise WeightsError(_ended(line, instead))


def cached(name: str, file: str, title: str) -> Path | None:
    """Return the file of a model where an earlier download left it, None where there is none."""
    path = require("huggingface_hub", title).try_to_load_from_cache(name, file)
    return Path(path) if isinstance(path, str) else None


def revision(name: str) -> str | None:
    """Return the commit of a model that lies in the cache of the hub here; None where none does, or for no hub name."""
    if not is_name(name) or not is_installed("huggingface_hub"):
        return None
    cache = require("huggingface_hub.constants", f"the model {name}").HF_HUB_CACHE
    ref = Path(cache) / f"models--{name.replace('/', '--')}" / "refs" / "main"
    return ref.read_text(encoding="ascii").strip() if ref.is_file() else None


def reach(name: str, title: str, instead: str = "") -> Any:
    """Ask the hub about a model once; return what it says (`siblings` are its files).

    Raises:
        WeightsError: there is no network, or no such model for everybody.
    """
    try:
        return require("huggingface_hub", title).model_info(name, timeout=TIMEOUT)
    except Exception as error:  # without a network there are many
        raise refusal(title, error, instead) from None


def fetch(name: str, file: str, title: str, instead: str = "") -> Path:
    """Return a small file of a model, from this machine where it is here already.

    Raises:
        WeightsError: it cannot be had.
    """
    here = cached(name, file, title)
    if here is not None:
        return here
    reach(name, title, instead)
    try:
        return Path(require("huggingface_hub", title).hf_hub_download(name, file))
    except Exception as error:  # without a network there are many
        raise refusal(title, error, instead) from None


def local_first(load: Callable[..., Any], name: str, title: str, instead: str = "") -> Any:
    """Load a model from what is on this machine; where that is not enough, from the hub.

    Args:
        load: takes `local_files_only`. name: on the hub. title, instead: as for `check_name`.

    Raises:
        WeightsError: it cannot be had. ImportError: a library is missing that the model needs.
    """
    try:
        return load(local_files_only=True)
    except ImportError:
        raise
    except Exception:  # not here, or not all of it
        reach(name, title, instead)
    try:
        return load()
    except (ImportError, WeightsError):
        raise
    except Exception as error:  # the libraries raise nearly everything
        raise refusal(title, error, instead) from None


def refusal(title: str, error: Exception, instead: str = "") -> WeightsError:
    """Return the one line that says why a model cannot be had, and what to do.

    Args:
        title: the model, which begins the line. error: what a library raised. instead: ends the line.
    """
    kinds = require("huggingface_hub.errors", title)
    if isinstance(error, kinds.GatedRepoError):
        line = f"{title}: its owner lets in only who asks; accept its terms on the hub first"
    elif isinstance(error, kinds.RepositoryNotFoundError):
        line = f"{title} is no folder, and the hub has no public model of this name"
    else:
        line = (
            f"{title} is no folder and cannot be had from the hub ({first_line(error)[:80]}); "
            "download it where there is a network and give its folder"
        )
    return WeightsError(_ended(line, instead))


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, at most 200 characters; its type where it says nothing."""
    lines = [" ".join(line.split()) for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200].rstrip(".")


def _ended(line: str, instead: str) -> str:
    return f"{line}; {instead}" if instead else line
