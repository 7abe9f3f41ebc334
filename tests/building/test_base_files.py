"""What the base holds besides its parent: only what its Dockerfile copies counts."""

import pytest
from sites import Site
from vendoring.upstreams import Repository, pins

BASE = "tests/base:latest"


@pytest.fixture
def site(own_site: Site) -> Site:
    return own_site


def holds(site: Site, path: str) -> str:
    """A file of the base, as root reads it there."""
    return site.docker("run", "--rm", "--network=none", BASE, "cat", path)


def dockerfile(site: Site, text: str) -> None:
    (site.folder / "Dockerfile.base").write_text(f"ARG PARENT\nFROM ${{PARENT}}\n{text}")


def test_a_base_holds_files_of_the_source_as_they_are_committed(site: Site) -> None:
    site.commit("requirements.txt", "numpy==1.16.4\n")
    site.commit("tools/run.sh", "#!/bin/sh\n")
    dockerfile(
        site, "COPY requirements.txt /opt/\nCOPY tools /opt/tools\nARG COMMIT DATE EXTRA\nLABEL it=$COMMIT,$EXTRA\n"
    )
    site.settings["base"] |= {"files": ["requirements.txt", "./tools/"], "build_args": {"EXTRA": "more"}}
    site.save()
    (site.source / "requirements.txt").write_text("not committed\n")
    site.inv("base")
    assert (holds(site, "/opt/requirements.txt"), holds(site, "/opt/tools/run.sh")) == ("numpy==1.16.4", "#!/bin/sh")
    first = site.git("rev-parse", "HEAD")
    assert site.label(BASE, "it") == f"{first[:7]},more"
    assert site.label(BASE, "com.colorai.stack.vendor") == "{}", "it holds no vendored library"
    assert not (site.root / ".build/tests=base").exists()

    site.commit("tools/other.txt", "another date and commit\n")
    assert "changed since the last build: files of the source." in site.inv("base").stdout
    site.commit("unrelated.txt", "another date and commit\n")
    (site.root / "vendor/vendor.yaml").write_text("")
    assert f"{BASE} is up to date." in site.inv("base").stdout
    site.settings["base"]["build_args"] = {"EXTRA": "less"}
    site.save()
    assert "changed since the last build: build arguments." in site.inv("base").stdout

    for wrong, sentence in {
        "nowhere.txt": "there is no nowhere.txt in commit",
        "../out": "../out is no path in the source",
        "vendor/x": "vendor/x is no path in the source beside vendor/",
    }.items():
        site.settings["base"]["files"] = [wrong]
        site.save()
        assert f"Setting stack.base.files: {sentence}" in site.inv("base", code=2).stderr


def test_files_of_a_submodule_are_files_of_the_source(site: Site) -> None:
    """A whole one, one in a folder that is named, and one file of one."""
    library = site.folder / "library"
    site.git("clone", "--quiet", str(site.source), str(library), where=site.folder)
    (library / "requirements.txt").write_text("numpy==1.16.4\n")
    site.git("add", "--all", where=library)
    site.git("commit", "--quiet", "--message", "what it needs", where=library)
    for place in ("one", "libs/two", "three"):
        site.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), place)
    site.commit("libs/own.txt", "own\n")
    dockerfile(site, "COPY one /opt/one\nCOPY libs /opt/libs\nCOPY three/requirements.txt /opt/\n")
    site.settings["base"]["files"] = ["one", "libs", "three/requirements.txt"]
    site.save()
    site.inv("base")
    held = [f"/opt/{path}" for path in ("one/requirements.txt", "libs/two/requirements.txt", "requirements.txt")]
    assert [holds(site, path) for path in held] == ["numpy==1.16.4"] * 3
    assert holds(site, "/opt/libs/own.txt") == "own" and holds(site, "/opt/one/index.html") == "version one"
    assert f"{BASE} is up to date." in site.inv("base").stdout
    (site.source / "three/requirements.txt").write_text("numpy==2\n")
    site.git("commit", "--quiet", "--all", "--message", "newer", where=site.source / "three")
    site.commit("libs/own.txt", "own\n")
    assert "changed since the last build: files of the source." in site.inv("base").stdout
    assert holds(site, "/opt/requirements.txt") == "numpy==2"
    site.settings["base"]["files"] = ["three/nothing.txt"]
    site.save()
    dockerfile(site, "COPY three/nothing.txt /opt/\n")
    assert "three/nothing.txt is not in the submodule" in site.inv("base", code=2).stderr


def test_whatever_the_context_lets_through_is_an_input_and_nothing_else(site: Site) -> None:
    dockerfile(site, "COPY docker/requirements.txt /opt/\n")
    wanted = site.root / "docker/requirements.txt"
    wanted.write_text("numpy==1.16.4\n")
    with open(site.root / ".dockerignore", "a") as ignore:
        ignore.write("!docker/*.txt\n")
    site.inv("base")
    (site.root / "docker/other.txt").write_text("let through, and not copied\n")
    assert f"{BASE} is up to date." in site.inv("base").stdout
    wanted.write_text("numpy==1.16.5\n")
    assert "changed since the last build: files." in site.inv("base").stdout
    assert holds(site, "/opt/requirements.txt") == "numpy==1.16.5"
    dockerfile(site, "COPY . /opt/all\n")
    assert "Dockerfile, vendored libraries, files." in site.inv("base").stdout
    (site.root / "docker/other.txt").write_text("changed\n")
    assert "changed since the last build: files." in site.inv("base").stdout
    assert holds(site, "/opt/all/docker/other.txt") == "changed"


def test_a_changed_pin_counts_only_where_the_dockerfile_copies_its_library(site: Site) -> None:
    libraries = {name: Repository(site.folder / name) for name in ("one", "two")}
    pinned = {name: library.commit({"file": "first"}) for name, library in libraries.items()}

    def pin(name: str = "", text: str = "") -> None:
        if name:
            pinned[name] = libraries[name].commit({"file": text})
        pins(site.root / "vendor", "\n".join(f"{n}: {{git: '{libraries[n].url}', rev: {pinned[n]}}}" for n in pinned))

    pin()
    dockerfile(site, "ENV USES=nothing\n")
    site.inv("base")
    assert site.label(BASE, "com.colorai.stack.vendor") == "{}"
    pin("one", "second")
    said = site.inv("base").stdout
    assert f"{BASE} is up to date." in said and "docker build" not in said
    dockerfile(site, "COPY vendor/one /opt/one\n")
    site.inv("base")
    pin("two", "second")
    said = site.inv("base").stdout
    assert f"{BASE} is up to date." in said and "docker build" not in said
    pin("one", "third")
    assert "changed since the last build: vendored libraries." in site.inv("base").stdout
    assert holds(site, "/opt/one/file") == "third"
    assert pinned["one"] in (label := site.label(BASE, "com.colorai.stack.vendor")) and "two" not in label
