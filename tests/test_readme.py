"""The settings that README shows are followed as they stand there, but for the folders of this machine."""

import json
import re

import pytest
from invoke import Context
from projects import ROOT
from ruamel.yaml import YAML
from sites import Site, free_port

from tasks.program.config import StackConfig
from tasks.settings.load import load_file

SOURCES = "/srv/src"
CURL = "#!/bin/sh\nfor url; do :; done\nexec wget -q -O /dev/null $url/index.html\n"
DOCKERFILE = """FROM tiny:1
STOPSIGNAL SIGKILL
COPY . /srv
COPY curl /bin/curl
ENV PORT=80
CMD exec httpd -f -p "$PORT" -h /srv
"""


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
