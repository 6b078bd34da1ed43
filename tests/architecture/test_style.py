"""Rules of the house that a linter does not know."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "src").rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 400, 60
# written in pieces, so that this file does not match itself
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:" + "|".join(["home", "root", "Users", "mnt", "work", "tmp"]) + r")/"
)
FORBIDDEN = {
    "an unpickled file": re.compile(
        r"\bpickle\.loads?\(|\btorch\.load\((?!.*weights_only=True)|allow_pickle\s*=\s*True"
    ),
    "an edited import path": re.compile(r"\bsys\.path\b"),
    "a tensor sent to one kind of device": re.compile(r"\.cuda\(\)"),
    "a global seed": re.compile(r"\btorch\.manual_seed\(|\bnp\.random\.seed\(|\brandom\.seed\("),
    "a shell": re.compile(r"\bos\.system\(|shell\s*=\s*True"),
    "a place of one machine": MACHINE_PATH,
}


# oneDNN's bf16 kernels go wrong on small volumes: moviola.nn.volume has the layers that do not
PLAIN_VOLUME = re.compile(
    r"\b(?:nn|F|functional)\.(?:Conv(?:Transpose)?3d|conv(?:_transpose)?3d)\(|\bLazyConv"
)
VOLUME = ROOT / "src/moviola/nn/volume.py"


def test_files_are_short():
    """No file of more than 400 lines."""
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE} == {}


def test_functions_are_short():
    """No function of more than 60 lines, its docstring included."""
    lengths = {
        f"{name(path)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path in FILES
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(lengths) > 50
    assert {function: lines for function, lines in lengths.items() if lines > MAX_FUNCTION} == {}


def test_everything_public_is_described():
    """Modules, public classes, functions and methods have docstrings; empty `__init__.py` files need none."""
    assert [line for path in FILES for line in undescribed(path)] == []


def test_nothing_forbidden():
    """No pickle, no path of one machine, no global seed, no shell."""
    found = [
        f"{name(path)}:{number} {what}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]
    assert found == []


def test_volumes_are_convolved_by_our_layers():
    """No plain 3-D convolution is made or called outside `moviola.nn.volume`."""
    plain = [
        f"{name(path)}:{number}"
        for path in FILES
        if path != VOLUME
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PLAIN_VOLUME.search(line)
    ]
    assert plain == []
    assert PLAIN_VOLUME.search(VOLUME.read_text(encoding="utf-8"))


def test_a_developer_skips_no_library():
    """Whatever a test imports or is skipped, is in the extra `dev`: its environment runs every such test."""
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [
        line for name in ("dev", "evaluate", "restyle", "scale", "studio", "train") for line in extras[name]
    ]
    known = {re.split(r"[\[<>=~! ]", line)[0].replace("-", "_") for line in wanted}
    known |= {"huggingface_hub"} if "transformers" in known else set()  # which needs it
    known |= {"cv2", "skimage"} if {"opencv_python_headless", "scikit_image"} <= known else set()
    skipped = re.compile(r"""importorskip\(\s*"([\w.]+)"|find_spec\("(\w+)"\) is None""")
    names = {
        (match[1] or match[2]).split(".")[0]
        for path in (ROOT / "tests").rglob("*.py")
        for match in skipped.finditer(path.read_text(encoding="utf-8"))
    }
    assert len(names) > 5 and names <= known, names - known


def test_the_rules_notice():
    """The patterns above find what they are for."""
    samples = ["torch.load(p)", "sys.path.append", "x.cuda()", "torch.manual_seed(0)", "os.system(c)"]
    found = {what for what, pattern in FORBIDDEN.items() for sample in samples if pattern.search(sample)}
    assert len(found) == len(samples)
    assert not FORBIDDEN["an unpickled file"].search("torch.load(p, weights_only=True)")  # tensors alone
    assert MACHINE_PATH.search('open("' + "/ho" + 'me/me/x")')
    assert not MACHINE_PATH.search("data/work/x")


def name(path: Path) -> str:
    """The path below the checkout."""
    return path.relative_to(ROOT).as_posix()


def undescribed(path: Path) -> list[str]:
    """What is public in a file and has no docstring."""
    tree = parse(path)
    silent = [] if ast.get_docstring(tree) or not tree.body else [f"{name(path)}: the module"]
    for scope in [
        tree,
        *(n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")),
    ]:
        for node in scope.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node) and not is_overload(node):
                silent.append(f"{name(path)}:{node.lineno} {node.name}")
    return silent


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def is_overload(node: ast.AST) -> bool:
    """Whether a function only states another signature, or sets or deletes a property."""
    marks = [ast.unparse(mark) for mark in getattr(node, "decorator_list", [])]
    return any(mark.endswith(("overload", ".setter", ".deleter")) for mark in marks)
