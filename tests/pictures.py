"""Make the README's pictures anew, from real runs on a private Docker Engine.

    .venv/bin/python tests/pictures.py [NAME …]

Each is what a terminal of 100 columns shows at the end: `docs/pictures/NAME.svg`. Look at them before you commit them.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engines import PrivateEngine  # noqa: E402
from sites import Site  # noqa: E402
from terminals import DOWN, Terminal  # noqa: E402

COLUMNS, LINES = 100, 400
SERVE = 'echo "serving on $PORT"; exec httpd -f -p $PORT -h /srv\n'
BROKEN = 'echo "ImportError: libcudnn.so.7: cannot open shared object file"; exit 1\n'


def team(engine: PrivateEngine, folder: Path) -> Site:
    """A team's site with four versions of one frame, of which the last one is broken; the second one runs."""
    site = Site(engine, engine.busybox(), folder)
    site.settings["base"]["image"] = "colorai/cauchycv_base"
    site.dockerfile.write_text(site.dockerfile.read_text().replace("tests/base", "colorai/cauchycv_base"))
    site.frame.update(image="colorai/cauchycv_visdom", service="cauchy_visdom", command=["sh", "/srv/run.sh"])
    site.set(settle=1.0)
    for name, text in (("run.sh", SERVE), ("detect.py", "threshold\n"), ("track.py", "one track for each face\n")):
        site.commit(name, text)
        site.inv("frame")
    site.commit("run.sh", BROKEN)
    site.inv("frame")
    site.inv("start", "--tag", "0.2.2")
    return site


def drawn(raw: str, typed: str) -> Text:
    """What a terminal shows after all that was printed, below the command that was typed."""
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.Stream(screen).feed(raw.replace("\x1b[2m", "\x1b[90m"))  # pyte knows no dimmed text: grey instead
    lines = [Text.assemble(("$ ", "bold green"), (typed, "bold"))]
    for number in range(LINES):
        row = screen.buffer[number]
        line = Text()
        for look, cells in groupby((row[column] for column in range(COLUMNS)), style):
            line.append("".join(cell.data for cell in cells), look)
        line.rstrip()
        lines.append(line)
    while not lines[-1].plain:
        lines.pop()
    return Text("\n").join(lines)


def style(cell: Any) -> Style:
    """How a cell of pyte's looks, for rich."""
    return Style(color=colour(cell.fg), bgcolor=colour(cell.bg), bold=cell.bold)


def colour(name: str) -> str | None:
    """Rich's name of a colour that pyte found; None for the terminal's own."""
    if name == "default":
        return None
    if len(name) == 6 and all(char in "0123456789abcdef" for char in name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


def save(name: str, text: Text, title: str) -> None:
    """Write the picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(text, soft_wrap=False)
    path = ROOT / f"docs/pictures/{name}.svg"
    path.parent.mkdir(exist_ok=True)
    console.save_svg(str(path), title=title, theme=MONOKAI, unique_id=name)
    print(path)


def menu(site: Site) -> Text:
    """The question which version to start."""
    with Terminal(site, "start") as terminal:
        terminal.until("Which version", "0.2.2")
        terminal.press(DOWN)
        terminal.until("»")
        raw = terminal.raw
        terminal.press("\x03")
        terminal.ended()
    return drawn(raw, "inv start")


def run(site: Site, *arguments: str) -> Text:
    """A task from its beginning to its end."""
    with Terminal(site, *arguments) as terminal:
        terminal.ended()
        return drawn(terminal.raw, " ".join(("inv", *arguments)))


TITLES = {
    "menu": "Which version?",
    "failed-switch": "A version that fails leaves the old one as it was",
    "switch": "A switch",
    "status": "What runs",
    "images": "The versions that are here",
}
PICTURES: dict[str, Callable[[Site], Text]] = {
    "menu": menu,
    "failed-switch": lambda site: run(site, "start", "--tag", "0.2.5"),
    "switch": lambda site: run(site, "start", "--tag", "0.2.3"),
    "status": lambda site: run(site, "status"),
    "images": lambda site: run(site, "images"),
}


@contextmanager
def made() -> Iterator[Site]:
    """The team's site on an engine of its own."""
    with PrivateEngine() as engine, tempfile.TemporaryDirectory(prefix="inv-") as folder:
        yield team(engine, Path(folder))


def main() -> None:
    wanted = sys.argv[1:] or list(PICTURES)
    with made() as site:
        for name, take in PICTURES.items():
            if name in wanted:
                save(name, take(site), TITLES[name])


if __name__ == "__main__":
    main()
