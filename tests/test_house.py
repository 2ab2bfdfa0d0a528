"""How the house is kept: who may import whom, what is declared where, and how long things are.

`make lint` runs these, and each of them is shown a house that breaks it.
"""

import ast
import inspect
import re
from dataclasses import fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from sk_autoencoder import AutoencoderTransformer, VariationalAutoencoderTransformer
from sk_autoencoder._config import GROUPS

PACKAGE = Path(inspect.getfile(AutoencoderTransformer)).parent
FILES = {
    ".".join(("sk_autoencoder", *path.relative_to(PACKAGE).with_suffix("").parts)): path.read_text()
    for path in sorted(PACKAGE.rglob("*.py"))
}

# What each room may import, besides what stands in it. Arrows run face -> training -> model -> nn,
# training -> pca, and all may ask `_utils`.
SHARED = {"_utils"}
DATA = {"_data", "_config", "_sklearn_compat", "_combinations"}
ROOMS = {
    "_utils": {"_sklearn_compat"},
    "_sources": SHARED,
    "_sklearn_compat": set(),
    "_nn": SHARED,
    "_pca": SHARED,
    "_data": SHARED | {"_sources"},
    "_config": SHARED | {"_nn", "_sklearn_compat"},
    "_combinations": {"_config"},
    "_model": SHARED | DATA | {"_nn", "_pca"},
    "_training": SHARED | DATA | {"_nn", "_pca", "_model", "_sources"},
    "_outliers": SHARED,
    "_saving": SHARED | {"_model", "_outliers", "_training"},
}
# The faces stand above all of these, and import what they need.
FACES = {
    "__init__",
    "__main__",
    "_base",
    "_cli",
    "_comparison",
    "_dask",
    "_displays",
    "_exporting",
    "_loading",
    "_methods",
    "_outlier",
    "_reading",
    "_report",
    "_skl2onnx",
    "_transformer",
    "_transforming",
    "_validation",
    "_variational",
    "_watch",
    "dask",
    "datasets",
}

MAX_ARGUMENTS = 5
CUDA = {"torch.cuda", "torch.backends.cuda"}
MAX_LINES = 400
MAX_LINES_OF_FUNCTION = 40
MAX_LINES_OF_FACE = 300
LONG_FACES = {"sk_autoencoder._transformer", "sk_autoencoder._variational"}


def room_of(module):
    """Give the room of a module: its folder, or the file itself at the top."""
    return module.split(".")[1]


def imports_of(source):
    """Give the modules of the package that a source imports, but for type checkers alone."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sk_autoencoder"):
            deep = node.module.count(".") > 0
            found += [node.module] if deep else [f"{node.module}.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("sk_autoencoder.")]
    return found


def forbidden_imports(module, source):
    """Give what a module imports from rooms that stand above its own, or beside it."""
    room = room_of(module)
    if room in FACES:
        return []
    allowed = ROOMS[room] | {room}
    return [name for name in imports_of(source) if room_of(name) not in allowed]


def circle_of(files):
    """Give the files that need each other in a circle, if only for types or within a function."""
    files = {module.removesuffix(".__init__"): source for module, source in files.items()}
    needs = {}
    for module, source in files.items():
        names = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                within = {f"{node.module}.{alias.name}" for alias in node.names} & set(files)
                names |= within or {node.module}
        needs[module] = names & set(files)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def functions_of(source):
    """Give the functions and methods of a source, with the class of each or None."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield from ((item, node) for item in node.body if isinstance(item, ast.FunctionDef))
        else:
            inner = getattr(node, "body", None)
            for item in inner if isinstance(inner, list) else []:
                if isinstance(item, ast.FunctionDef):
                    yield item, None


def n_arguments(function, owner):
    """Give how many arguments a caller passes."""
    args = function.args
    names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    return len(names) - (owner is not None and names[:1] in (["self"], ["cls"]))


def is_public(function, owner):
    """Whether users call a function: a method of a public class, or a constructor."""
    if function.name == "__init__":
        return True
    named = owner is not None and not owner.name.startswith("_")
    return named and not function.name.startswith("_") and owner.name in PUBLIC_CLASSES


PUBLIC_CLASSES = {
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "BaseAutoencoder",
    "ExportingMixin",
    "ExportingDetectorMixin",
    "FittedMethods",
    "CodesDisplay",
    "ComparisonDisplay",
    "OutlierExplanationDisplay",
    "ReconstructionCurveDisplay",
    "ReconstructionDisplay",
    "TrainingCurveDisplay",
    "VariationalAutoencoderTransformer",
}
# The second is what the first and the command line call, with the arguments of the first.
PUBLIC_FUNCTIONS = {"compare_with_pca", "run_comparison"}


def crowded_functions(source):
    """Give the functions that take too many arguments."""
    return [
        function.name
        for function, owner in functions_of(source)
        if not is_public(function, owner)
        and function.name not in PUBLIC_FUNCTIONS
        and n_arguments(function, owner) > MAX_ARGUMENTS
    ]


def length_of(node):
    """Give the lines of a function or a file without docstrings, comments aside."""
    docstrings = sum(
        inner.body[0].end_lineno - inner.body[0].lineno + 1
        for inner in ast.walk(node)
        if isinstance(inner, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and ast.get_docstring(inner, clean=False) is not None
    )
    if isinstance(node, ast.Module):
        return docstrings
    return node.end_lineno - node.lineno + 1 - docstrings


def long_functions(source):
    """Give the functions that are too long, constructors that only assign aside."""
    return [
        function.name
        for function, _ in functions_of(source)
        if function.name != "__init__" and length_of(function) > MAX_LINES_OF_FUNCTION
    ]


def stray_assignments(source):
    """Give where fitted attributes are set on self, but in `_publish`."""
    found = []
    for function, owner in functions_of(source):
        if owner is None or function.name == "_publish":
            continue
        for node in ast.walk(function):
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            for target in targets if isinstance(node, (ast.Assign, ast.AugAssign)) else []:
                is_own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
                if is_own and target.attr.endswith("_"):
                    found.append(f"{function.name}: {target.attr}")
            if isinstance(node, ast.Call):
                called, first = ast.unparse(node.func), [ast.unparse(a) for a in node.args[:1]]
                if called == "vars(self).update" or (called in SETTERS and first == ["self"]):
                    found.append(f"{function.name}: {called}")
    return found


SETTERS = ("setattr", "delattr", "object.__setattr__")
ESTIMATORS = ("_base", "_methods", "_transformer", "_variational", "_outlier")


@pytest.mark.parametrize("module", FILES)
def test_arrows_run_down(module):
    assert forbidden_imports(module, FILES[module]) == []


def test_no_files_need_each_other_in_a_circle():
    assert circle_of(FILES) == []


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("if TYPE_CHECKING:\n    from sk_autoencoder._nn import back", "from {} import x"),
        ("def f():\n    from sk_autoencoder._nn.back import x", "import {}"),
        ("import sk_autoencoder._nn.back", "from {} import x"),
    ],
)
@pytest.mark.parametrize("name", ["sk_autoencoder._nn.there", "sk_autoencoder._nn.there.__init__"])
def test_a_circle_is_seen_however_the_imports_are_written(there, back, name):
    back = back.format("sk_autoencoder._nn.there")
    found = circle_of({name: there, "sk_autoencoder._nn.back": back})
    assert set(found) == {"sk_autoencoder._nn.there", "sk_autoencoder._nn.back"}


def test_each_room_has_its_place():
    assert {room_of(module) for module in FILES} == {*ROOMS, *FACES}


@pytest.mark.parametrize("module", FILES)
def test_private_functions_take_few_arguments(module):
    assert crowded_functions(FILES[module]) == []


@pytest.mark.parametrize("module", FILES)
def test_functions_are_short(module):
    assert long_functions(FILES[module]) == []


@pytest.mark.parametrize("module", FILES)
def test_files_are_short(module):
    n_lines = len(FILES[module].splitlines())
    if module in LONG_FACES:
        assert n_lines - length_of(ast.parse(FILES[module])) <= MAX_LINES_OF_FACE
    else:
        assert n_lines <= MAX_LINES


@pytest.mark.parametrize("name", ESTIMATORS)
def test_only_publish_sets_fitted_attributes(name):
    assert stray_assignments(FILES[f"sk_autoencoder.{name}"]) == []


def uses_of_cuda(source: str) -> list[str]:
    """Return what asks for CUDA: names of torch's modules for it, and the name of the device."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in CUDA)
        or (isinstance(node, ast.Constant) and node.value == "cuda")
    ]


@pytest.mark.parametrize("name", sorted(set(FILES) - {"sk_autoencoder._utils.cuda"}))
def test_one_module_asks_for_cuda(name):
    assert uses_of_cuda(FILES[name]) == []


@pytest.mark.parametrize("estimator", [AutoencoderTransformer, VariationalAutoencoderTransformer])
def test_a_parameter_is_declared_once_in_a_group(estimator):
    declared = [field.name for group in GROUPS.values() for field in fields(group)]
    assert len(declared) == len(set(declared))
    names = set(inspect.signature(estimator).parameters)
    assert names <= set(declared)
    # What an estimator does not have, it may not need.
    for group in GROUPS.values():
        assert {f.name for f in fields(group) if f.default is f.default_factory} <= names


def rooms_of(text):
    """The files and folders that a table of rooms lists, a name alone in the folder before it."""
    rooms = []
    for cell in re.findall(r"^\| (`[^|]*) \|", text, flags=re.MULTILINE):
        folder = ""
        for name in re.findall(r"`([^`]+)`", cell):
            folder = name.rpartition("/")[0] if "/" in name else folder
            rooms.append(name if "/" in name or not folder else f"{folder}/{name}")
    return rooms


def unlisted(rooms, paths):
    """Listed rooms that are none, and files of the package that stand in no room of the list."""
    gone = [room for room in rooms if not any(f"{path}/".startswith(room) for path in paths)]
    return gone + [path for path in paths if not any(f"{path}/".startswith(r) for r in rooms)]


def test_contributing_lists_each_room():
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text()
    paths = [str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py"))]
    paths = [path for path in paths if not path.endswith("__init__.py")]
    assert unlisted(rooms_of(text), paths) == []
    listed = "| `_a/x.py`, `y.py` | what they are |\n| `_b/` | others |\n"
    assert unlisted(rooms_of(listed), ["_a/x.py", "_a/z.py", "_b/v.py"]) == ["_a/y.py", "_a/z.py"]


@pytest.mark.parametrize(
    ("guard", "source"),
    [
        (
            lambda source: forbidden_imports("sk_autoencoder._nn.layers", source),
            "from sk_autoencoder._training.net import AutoencoderNet",
        ),
        (
            lambda source: forbidden_imports("sk_autoencoder._training.net", source),
            "def f():\n    from sk_autoencoder import _base",
        ),
        (crowded_functions, "def f(a, b, c, d, *, e, g): pass"),
        (crowded_functions, "class A:\n    def _f(self, a, b, c, d, e, g): pass"),
        (long_functions, "def f():\n" + "    x = 1\n" * 41),
        (uses_of_cuda, "def f(device):\n    return device.type == 'cuda'"),
        (uses_of_cuda, "import torch\ntorch.cuda.empty_cache()"),
        (stray_assignments, "class A:\n    def fit(self):\n        self.mean_ = 1"),
        (stray_assignments, "class A:\n    def fit(self):\n        setattr(self, 'mean_', 1)"),
        (stray_assignments, "class A:\n    def fit(self):\n        vars(self).update(mean_=1)"),
    ],
)
def test_a_guard_sees_what_it_is_for(guard, source):
    assert len(guard(source)) == 1
