"""Small Python projects for tests, which pip builds without any tool but what lies in them."""

from vendoring.upstreams import member, tarred, zipped

# A build backend: the version is the one that the module `zz_tool` knows, as setuptools_scm would; without it, 0.0.0.
BACKEND = """
import zipfile
NAME, NEEDS = {name!r}, {needs!r}
def version():
    if {scm!r}:
        try:
            import zz_tool
        except ImportError:
            return "0.0.0"
    return {version!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    file = f"{{NAME}}-{{version()}}-py3-none-any.whl"
    info = f"{{NAME}}-{{version()}}.dist-info/"
    with zipfile.ZipFile(f"{{folder}}/{{file}}", "w") as package:
        package.writestr(f"{{NAME}}.py", "")
        needs = "".join(f"Requires-Dist: {{need}}\\n" for need in NEEDS)
        metadata = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{version()}}\\n{{needs}}"
        package.writestr(info + "METADATA", metadata)
        package.writestr(info + "WHEEL", {about_wheel!r})
        package.writestr(info + "RECORD", "")
    return file
"""
ABOUT_WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PYPROJECT = '[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def files(name: str, version: str = "1.0", scm: bool = False, needs: tuple[str, ...] = ()) -> dict[str, str]:
    """A project's files. With `scm`, its build takes the version from the project zz_tool."""
    return {
        "pyproject.toml": PYPROJECT.format(requires='"Zz.Tool>=1"' if scm else ""),
        "backend.py": BACKEND.format(name=name, version=version, scm=scm, needs=needs, about_wheel=ABOUT_WHEEL),
    }


def sdist(name: str, form: str, **wishes: object) -> bytes:
    """The sdist of a project: a `zip`, or a tar compressed so."""
    made = {f"{name}-1.0/{path}": text.encode() for path, text in files(name, **wishes).items()}  # type: ignore[arg-type]
    return zipped(made) if form == "zip" else tarred(*((member(path), text) for path, text in made.items()), form=form)


def wheel(name: str) -> bytes:
    """The wheel of a project of version 1.0."""
    info = f"{name}-1.0.dist-info"
    return zipped(
        {
            f"{name}.py": b"VALUE = 1\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": ABOUT_WHEEL.encode(),
            f"{info}/RECORD": b"",
        }
    )
