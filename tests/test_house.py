"""The house: who may import whom, and how large things may get. What CONTRIBUTING.md says is read from the code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sites import ROOT

GROUND = {"host", "engine"}
MAY_IMPORT = {  # each wing, and what it may import besides itself
    "host": set(),
    "engine": set(),
    "settings": GROUND,
    "recommended": GROUND,
    "vendoring": GROUND,
    "shipping": GROUND,
    "program": GROUND | {"settings"},
    "building": GROUND | {"settings", "vendoring"},
    "service": GROUND | {"settings", "recommended"},
    "swarm": GROUND | {"settings", "recommended", "service"},
    "looking": GROUND | {"settings", "recommended", "vendoring", "building", "service"},
}
CHAINED = {"frame": {"base"}, "base": {"fetch_vendor"}}  # tasks, and the tasks that they bring about
LINES, SCREEN, PARAMETERS = 250, 50, 5
TASK_LINES = 80

MODULES = sorted((ROOT / "tasks").rglob("*.py"))
TASKS = [path for path in MODULES if path.parent == ROOT / "tasks"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of tasks/ that a module imports, anywhere in it: ("engine", "commands"), or ("base",) for a task."""
    package = ("tasks", *path.relative_to(ROOT / "tasks").parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")[1:]) for alias in node.names if alias.name.startswith("tasks."))
        if not isinstance(node, ast.ImportFrom):
            continue
        above = package[: len(package) - node.level + 1] if node.level else ()
        module = (*above, *(node.module.split(".") if node.module else ()))
        if module[:1] == ("tasks",):
            yield from ([module[1:]] if len(module) > 2 else [(*module[1:], alias.name) for alias in node.names])


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_wing_imports_only_what_lies_below_it(path: Path) -> None:
    wing = path.parent.name
    found = {module[0] for module in imported(path)}
    if path in TASKS:
        tasks = {module.stem for module in TASKS}
        assert found & tasks <= CHAINED.get(path.stem, set()), "of other tasks, only what it brings about"
    else:
        assert found - {wing} <= MAY_IMPORT[wing]


def test_the_guard_itself_sees_imports(tmp_path: Path) -> None:
    found = set(imported(ROOT / "tasks/frame.py"))
    assert ("base",) in found and any(module[0] == "building" for module in found)
    assert set(MAY_IMPORT) == {path.name for path in (ROOT / "tasks").iterdir() if (path / "__init__.py").exists()}


@pytest.mark.parametrize("wing", MAY_IMPORT)
def test_a_wing_says_what_it_is_and_whom_it_may_import(wing: str) -> None:
    tree = ast.parse((ROOT / "tasks" / wing / "__init__.py").read_text())
    said = ast.get_docstring(tree)
    assert said and len(tree.body) == 1 and "May import" in said
    rule = said.rpartition("May import")[2]
    others = {other for other in MAY_IMPORT if other in rule.replace(".", " ").replace(",", " ").split()}
    assert others == MAY_IMPORT[wing]


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_fits_in_the_head_and_a_function_on_a_screen(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= (TASK_LINES if path in TASKS else LINES)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef):
            continue
        assert node.end_lineno and node.end_lineno - node.lineno < SCREEN, node.name
        words = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        flags = any("task" in ast.unparse(decorator).split("(")[0].split(".") for decorator in node.decorator_list)
        assert flags or len([word for word in words if word not in ("self", "cls")]) <= PARAMETERS, node.name


def test_the_formatter_is_never_told_to_look_away() -> None:
    for path in (*MODULES, *(ROOT / "tests").rglob("*.py")):
        assert "fmt:" + " skip" not in path.read_text(), name(path)


def test_a_commit_is_checked_by_the_tools_that_ci_uses() -> None:
    pinned = set(re.findall(r"^(?:ruff|mypy)==\S+", (ROOT / ".ci/requirements.txt").read_text(), re.MULTILINE))
    assert len(pinned) == 2
    assert set(re.findall(r"[\w-]+==[\d.]+", (ROOT / ".pre-commit-config.yaml").read_text())) == pinned
