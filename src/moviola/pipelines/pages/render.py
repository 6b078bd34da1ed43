"""Pages from templates. Every value is escaped, and a name that a template does not get is an error.

A template lies in `templates/` and extends `base.html`, which holds the head, the colours for light and dark, and a
policy that lets the browser load nothing. Styles and scripts are files beside it, put in by `asset("name.css")`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Return a page as HTML.

    Args:
        template: its name in `templates/`.
        values: what the template shows; plain text is escaped, `|tojson` writes data for a script.
    """
    from moviola import __version__

    return _environment().get_template(template).render(version=__version__, **values)


def asset(name: str) -> str:
    """Return the text of a file in `templates/`, as it stands."""
    return files("moviola.pipelines.pages").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["asset"] = lambda name: Markup(asset(name))
    return environment
