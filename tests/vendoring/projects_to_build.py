"""Small Python projects for tests, which pip builds without any tool but what lies in them."""

from vendoring.upstreams import member, tarred, zipped

# A build backend: the version is the one that the module TOOL lets it have, as setuptools_scm would; without it, 0.0.0.
BACKEND = """
import zipfile
def version():
    try:
        __import__({tool!r})
    except ImportError:
        return "0.0.0"
    return {version!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = f"{name}-{{version()}}"
    with zipfile.ZipFile(f"{{folder}}/{{name}}-py3-none-any.whl", "w") as package:
        package.writestr("{name}.py", "")
        metadata = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {{version()}}\\n"
        package.writestr(f"{{name}}.dist-info/METADATA", metadata)
        package.writestr(f"{{name}}.dist-info/WHEEL", {about_wheel!r})
        package.writestr(f"{{name}}.dist-info/RECORD", "")
    return f"{{name}}-py3-none-any.whl"
"""
ABOUT_WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PYPROJECT = '[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def files(name: str, version: str = "1.0", tool: str = "", say: bool = True) -> dict[str, str]:
    """A project's files. Its build needs the module `tool`, and may `say` so; without, it has another version."""
    return {
        "pyproject.toml": PYPROJECT.format(requires=f'"{tool.title().replace("_", ".")}>=1"' if tool and say else ""),
        "backend.py": BACKEND.format(name=name, version=version, tool=tool or "sys", about_wheel=ABOUT_WHEEL),
    }


def sdist(name: str, form: str, tool: str = "", say: bool = True, setup: str = "") -> bytes:
    """The sdist of a project of version 1.0: a `zip`, or a tar compressed so. `setup`: lines of its backend."""
    texts = files(name, tool=tool, say=say)
    texts["backend.py"] = setup + texts["backend.py"]
    made = {f"{name}-1.0/{path}": text.encode() for path, text in texts.items()}
    return zipped(made) if form == "zip" else tarred(*((member(path), text) for path, text in made.items()), form=form)


def wheel(name: str, needs: str = "") -> bytes:
    """The wheel of a project of version 1.0, and of what it needs."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    return zipped(
        {
            f"{name}.py": b"",
            f"{info}/METADATA": (metadata + f"Requires-Dist: {needs}\n" * bool(needs)).encode(),
            f"{info}/WHEEL": ABOUT_WHEEL.encode(),
            f"{info}/RECORD": b"",
        }
    )
