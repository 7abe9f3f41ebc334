"""What README says. Its settings are followed as they stand there, but for the folders of this machine; its list of
tasks is the real one; README.zh-CN.md says the same in Chinese.
"""

import json
import re

import pytest
from invoke import Context
from pictures import PICTURES
from projects import ROOT, inv
from ruamel.yaml import YAML
from sites import Site, free_port

from tasks.program.config import StackConfig
from tasks.settings.load import load_file

ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
CODE = re.compile(r"^```\n[\s\S]*?^```$|(?:^    .*\n(?:\n(?=    ))?)+", re.MULTILINE)
COMMAND = re.compile(r"(?:\$ )?(?:\./)?(?:inv|docker|echo)\b")
HAN = re.compile("[\u4e00-\u9fff]")
SOURCES = "/srv/src"
CURL = "#!/bin/sh\nfor url; do :; done\nexec wget -q -O /dev/null $url/index.html\n"
DOCKERFILE = """FROM tiny:1
STOPSIGNAL SIGKILL
COPY . /srv
COPY curl /bin/curl
ENV PORT=80
CMD exec httpd -f -p "$PORT" -h /srv
"""


def sections(name: str) -> list[tuple[int, str]]:
    """A README's sections: the level of the heading (the page's title: 1), and the text from there to the next one."""
    parts = re.split(r"^(#+) ", (ROOT / name).read_text(), flags=re.MULTILINE)
    return [(len(level), text) for level, text in zip(parts[1::2], parts[2::2], strict=True)]


def explained(english: str, chinese: str) -> bool:
    """Whether two lines of a code block differ in nothing but explanations, which stand in columns of their own."""
    columns = [re.split(r"(?<=\S) {2,}(?=\S)", line.rstrip()) for line in (english, chinese)]
    pairs = [*zip(*columns, strict=False)]
    return len(columns[0]) == len(columns[1]) and all(
        here == there or (HAN.search(there) and not COMMAND.match(here.strip())) for here, there in pairs
    )


def examples() -> dict[str, str]:
    """The complete settings files in README, by the name of their last frame."""
    found = re.findall(r"^    stack:\n(?:(?:      .*)?\n)+", (ROOT / "README.md").read_text(), re.MULTILINE)
    texts = [re.sub("^    ", "", text, flags=re.MULTILINE) for text in found]
    return {[*YAML().load(text)["stack"]["frames"]][-1]: text for text in texts}


@pytest.mark.parametrize("name", ["segmenter", "carfinder", "seed", "httpbin"])
def test_the_settings_in_the_readme_are_settings(name: str, site: Site) -> None:
    site.file.write_text(examples()[name])
    found = load_file(Context(StackConfig()), site.file)
    assert name in found.frames and "visdom" not in found.frames


def test_a_repository_of_several_images_is_built_and_run_with_the_file_in_the_readme(site: Site) -> None:
    """With Dockerfiles as strangers write them: other parents, no labels, no arguments, no health check."""
    for name in ("vote", "result", "seed-data"):
        site.commit(f"{name}/index.html", f"{name} one\n")
        site.commit(f"{name}/curl", CURL)
        (site.source / name / "curl").chmod(0o755)
        last = "CMD true\n" if name == "seed-data" else ""
        site.commit(f"{name}/Dockerfile", DOCKERFILE + last)
    ports = {"8080": str(free_port()), "8081": str(free_port())}
    site.port = int(ports["8081"])
    text = examples()["seed"].replace(f"{SOURCES}/example-voting-app", str(site.source))
    for shown, free in ports.items():
        text = text.replace(shown, free)
    site.file.write_text(text)

    built = site.inv("frame", "--all").stdout
    count = site.git("rev-list", "--count", "HEAD")
    assert "base" not in built.replace(str(site.source), "")
    for name, series in {"vote": "0.2", "result": "2.0", "seed": "0.2"}.items():
        reference = f"voting/{name}:{series}.{count}"
        labels = json.loads(site.docker("image", "inspect", "--format", "{{json .Config.Labels}}", reference))
        stack = YAML(typ="safe").load(text)["stack"]
        said = {key: labels[f"org.opencontainers.image.{key}"] for key in ("vendor", "url", "description", "authors")}
        assert said == {**{key: stack[key] for key in ("vendor", "url", "description")}, "authors": stack["maintainer"]}
        assert labels["org.label-schema.docker.cmd"].endswith(reference)
        assert labels.get("com.colorai.stack.port") == {"vote": ports["8080"], "result": ports["8081"]}.get(name)
    assert "There are several frames" in site.inv("frame", code=2).stderr

    site.inv("start", "--name", "result")
    assert site.answer() == "result one"
    site.commit("result/index.html", "result two\n")
    assert "healthy" in site.inv("frame", "--name", "result", "start", "--name", "result").stdout
    assert site.answer() == "result two"
    site.inv("rollback", "--name", "result")
    assert site.answer() == "result one"


def test_both_readmes_have_the_same_sections_and_paragraphs_and_link_to_each_other() -> None:
    assert [level for level, _ in sections(ENGLISH)] == [level for level, _ in sections(CHINESE)]
    for (_, english), (_, chinese) in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        paragraphs, items = (
            [re.findall(begin, CODE.sub("", text), re.MULTILINE) for text in (english, chinese)]
            for begin in (r"\n\n(?=\S)", r"^(?:-|\d\.|\|)")
        )
        assert len(paragraphs[0]) == len(paragraphs[1]), chinese.partition("\n")[0]
        assert items[0] == items[1], chinese.partition("\n")[0]
    assert f"\n\nEnglish | [简体中文]({CHINESE})\n\n" in sections(ENGLISH)[0][1]
    assert f"\n\n[English]({ENGLISH}) | 简体中文\n\n" in sections(CHINESE)[0][1]


def test_both_readmes_show_the_same_code_but_for_what_explains_it() -> None:
    for (_, english), (_, chinese) in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        there = [line for block in CODE.findall(english) for line in block.splitlines()]
        here = [line for block in CODE.findall(chinese) for line in block.splitlines()]
        assert len(CODE.findall(english)) == len(CODE.findall(chinese)), chinese.partition("\n")[0]
        assert len(there) == len(here), chinese.partition("\n")[0]
        assert [(one, two) for one, two in zip(there, here, strict=True) if not explained(one, two)] == []


def test_both_readmes_name_the_same_flags_files_and_settings_in_each_section() -> None:
    """Every `name`, link and picture: what changes in one README's sentence mostly changes one of them."""
    for (_, english), (_, chinese) in zip(sections(ENGLISH), sections(CHINESE), strict=True):
        names = [set(re.findall(r"`[^`\n]+`", CODE.sub("", text))) for text in (english, chinese)]
        assert names[0] ^ names[1] == set(), f"{english.partition(chr(10))[0]}: in one README only"
        links = [re.findall(r"(!?)\[[^]]*\]\(([^)]+)\)", text) for text in (english, chinese)]
        assert sorted({*links[0]} ^ {*links[1]}) in ([], [("", ENGLISH), ("", CHINESE)])


def test_every_picture_stands_in_both_readmes() -> None:
    drawn = {f"docs/pictures/{name}.svg" for name in PICTURES}
    for name in (ENGLISH, CHINESE):
        assert sorted(re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / name).read_text())) == sorted(drawn), name
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "docs/pictures").iterdir()} == drawn


@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_the_list_of_tasks_is_what_is_listed_and_each_has_its_place_in_the_text(name: str) -> None:
    (shown,) = [block for block in CODE.findall((ROOT / name).read_text()) if "/inv --list" in block]
    listed = inv("--list").stdout.strip().splitlines()
    assert [line.strip() for line in shown.splitlines()[1:]] == [line.strip() for line in listed]
    text = (ROOT / name).read_text().replace(shown, "")
    tasks = [line.split()[0] for line in listed[1:] if line]
    assert [task for task in tasks if not re.search(rf"inv (?:\S+ )*{task}\b|`{task}`", text)] == []


def test_the_documents_of_json_stand_in_the_order_of_the_tasks() -> None:
    sections = re.findall("^## (.*)$", (ROOT / "docs/JSON.md").read_text(), re.MULTILINE)
    order = [line.split()[0] for line in inv("--list").stdout.splitlines() if line.startswith("  ")]
    assert sections == [name for name in order if name in sections] and len(sections) == 9
