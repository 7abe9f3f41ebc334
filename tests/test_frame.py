"""`frame`: the third layer, its tag, its stamp, and when it is built."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from images import like, load
from invoke import Config, Context
from sites import DOCKERFILE, ROOT, Site

from tasks.building import build as building
from tasks.building.dockerfile import declared, written
from tasks.engine.commands import Recipe
from tasks.engine.endpoint import Endpoint
from tasks.engine.engine import Engine
from tasks.settings.load import load as settings_of
from tasks.settings.load import load_file

LOCKS = {"tests=base.lock", "tests=visdom.lock"}
HOSTILE = "feature/it's-\"$(touch${IFS}pwned)`;&|é"  # git takes it for the name of a branch or a tag


@pytest.fixture
def site(own_site: Site) -> Site:
    return own_site


def details(site: Site, reference: str) -> Any:
    return json.loads(site.docker("image", "inspect", reference))[0]


def image_id(site: Site, reference: str) -> str:
    return site.docker("image", "inspect", "--format", "{{.Id}}", reference)


def layers(site: Site, reference: str) -> list[str]:
    return list(details(site, reference)["RootFS"]["Layers"])


def build_line(output: str, image: str = "tests/visdom") -> str:
    """The `docker build` of an image in what `inv` printed; "" if there is none."""
    found = [line for line in output.splitlines() if line.startswith(f"docker build --tag {image}:")]
    assert len(found) <= 1
    return found[0] if found else ""


def without_dates(line: str) -> str:
    return " ".join(
        word for word in line.split() if not word.startswith(("DATE=", "org.opencontainers.image.created="))
    )


def left(site: Site) -> set[str]:
    """What lies under .build."""
    folder = site.root / ".build"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.mark.parametrize("builder", ["legacy builder", "BuildKit"])
def test_a_frame_holds_the_commit_and_says_where_it_came_from(site: Site, builder: str) -> None:
    site.environment["DOCKER_BUILDKIT"] = str(int(builder == "BuildKit"))
    site.frame["dockerfile"] = "docker/Dockerfile"
    site.settings |= {"description": 'It\'s "quoted" $HOME', "url": "https://example.com/?r=front&x=$(x)"}
    site.save()
    head = site.commit("cauchy_services.py", "print('hello')\n")
    site.git("checkout", "--quiet", "-b", HOSTILE)
    site.git("tag", f"v-{HOSTILE}")
    site.git("remote", "add", "origin", "https://user:secret@example.com/team/framework.git?token=secret")
    (site.source / "forgotten.txt").write_text("not added\n")
    (site.source / ".git/info").mkdir()
    (site.source / ".git/info/exclude").write_text("ignored.txt\n")
    (site.source / "ignored.txt").write_text("ignored\n")

    site.inv("base", "--force")
    foretold = site.inv("--dry", "frame").stdout
    assert not site.docker("images", "--quiet", "tests/visdom") and left(site) == {"tests=base.lock"}
    done = site.inv("frame").stdout
    assert without_dates(build_line(foretold)) == without_dates(build_line(done)) != ""
    assert f"Building tests/visdom:0.2.2: commit {head[:7]} of {HOSTILE}." in done
    left_out = f"1 untracked and 1 ignored files or folders in {site.source} (forgotten.txt, ignored.txt)"
    assert f"Not in the image: {left_out}." in done
    assert left(site) == LOCKS

    image, base = details(site, "tests/visdom:0.2.2"), image_id(site, "tests/base:latest")
    labels = image["Config"]["Labels"]
    assert "secret" not in str(image)
    date = labels["org.label-schema.build-date"]
    assert time.time() - time.mktime(
        time.strptime(date + " UTC", "%Y-%m-%dT%H:%M:%SZ %Z")
    ) < 14 * 3600 and date.endswith("Z")
    source = "https://example.com/team/framework.git"
    run = "docker run --detach --name tests_service --network host --init tests/visdom:0.2.2"
    assert {key: value for key, value in labels.items() if key != "com.colorai.stack.inputs"} == {
        "maintainer": "colorai@colorai.com",
        "org.label-schema.schema-version": "1.0",
        "org.label-schema.name": "tests/visdom",
        "org.label-schema.description": site.settings["description"],
        "org.label-schema.vendor": "ColorAI",
        "org.label-schema.url": site.settings["url"],
        "org.label-schema.build-date": date,
        "org.label-schema.version": f"v-{HOSTILE}",
        "org.label-schema.vcs-url": source,
        "org.label-schema.vcs-ref": head[:7],
        "org.label-schema.vcs-branch": HOSTILE,
        "org.label-schema.docker.cmd": f"{run} httpd -f -p {site.port} -h /srv",
        "org.opencontainers.image.created": date,
        "org.opencontainers.image.revision": head,
        "org.opencontainers.image.version": "0.2.2",
        "org.opencontainers.image.source": source,
        "org.opencontainers.image.ref.name": HOSTILE,
        "org.opencontainers.image.title": "visdom",
        "org.opencontainers.image.description": site.settings["description"],
        "org.opencontainers.image.vendor": "ColorAI",
        "org.opencontainers.image.url": site.settings["url"],
        "org.opencontainers.image.authors": "colorai@colorai.com",
        "org.opencontainers.image.base.name": "tests/base:latest",
        "org.opencontainers.image.base.digest": base,
        "com.colorai.stack.tree": site.git("rev-parse", "HEAD^{tree}"),
        "com.colorai.stack.dirty": "false",
        "com.colorai.stack.base": base,
        "com.colorai.stack.vendor": site.label("tests/base:latest", "com.colorai.stack.vendor"),
        "com.colorai.stack.port": str(site.port),
    }
    assert "bottle==0.13.4" in labels["com.colorai.stack.vendor"]
    site.docker("create", "--name", "look", "tests/visdom:0.2.2", "true")
    site.docker("cp", "look:/opt/cauchycv", str(site.folder / "seen"))
    assert {path.name for path in (site.folder / "seen").iterdir()} == {"index.html", "cauchy_services.py"}
    assert not [*site.folder.rglob("pwned")] and not [*site.root.rglob("pwned")]

    again = site.inv("frame").stdout
    assert "tests/visdom:0.2.2 is already built from commit" in again and "docker build" not in again
    assert image_id(site, "tests/visdom:0.2.2") == image["Id"]
    forced = site.inv("frame", "--force").stdout
    assert "Building tests/visdom:0.2.2: --force was given." in forced
    assert layers(site, "tests/visdom:0.2.2") == image["RootFS"]["Layers"]  # the new date cost nothing
    site.commit("index.html", "one line more\n")
    site.inv("frame")
    assert layers(site, "tests/visdom:0.2.3")[:-1] == image["RootFS"]["Layers"][:-1] != []


def test_a_tag_names_one_content(site: Site) -> None:
    site.inv("base")
    site.git("checkout", "--quiet", "-b", "theirs")
    theirs = site.commit(text="theirs\n")
    site.git("checkout", "--quiet", "-b", "ours", "main")
    ours = site.commit(text="ours\n")
    site.git("checkout", "--quiet", "theirs")
    site.inv("frame")
    first = image_id(site, "tests/visdom:0.2.2")
    site.git("checkout", "--quiet", "ours")
    refused = site.inv("frame", code=2)
    assert refused.stderr.strip() == (
        f"tests/visdom:0.2.2 already names commit {theirs[:7]}, and this is {ours[:7]} of ours. "
        "Type --suffix NAME for a tag of its own, or --force to replace it."
    )
    assert image_id(site, "tests/visdom:0.2.2") == first
    wrong = site.inv("frame", "--suffix", "a/b", "start", code=2)
    assert wrong.stderr.startswith("0.2.2-a/b cannot be a tag") and wrong.stdout == ""
    site.inv("frame", "--suffix", "ours")
    assert site.label("tests/visdom:0.2.2-ours", "org.opencontainers.image.revision") == ours
    site.inv("frame", "--force")
    assert site.label("tests/visdom:0.2.2", "org.opencontainers.image.revision") == ours

    (site.source / "index.html").write_text("not committed\n")
    dirty = site.inv("frame", code=2)
    assert "uncommitted changes" in dirty.stderr and dirty.stderr.endswith(f"inv -f {site.file} frame --dirty\n")
    assert dirty.stdout == "", "the base was looked at first"
    built = site.inv("frame", "--dirty", "--suffix", "mine").stdout
    site.git("commit", "--quiet", "--all", "--message", "committed")
    tree = site.git("rev-parse", "HEAD^{tree}")
    assert f"Building tests/visdom:0.2.2-dirty-{tree[:12]}-mine" in built
    found = details(site, f"tests/visdom:0.2.2-dirty-{tree[:12]}-mine")["Config"]["Labels"]
    assert (found["com.colorai.stack.dirty"], found["com.colorai.stack.tree"]) == ("true", tree)
    assert found["org.opencontainers.image.revision"] == ours


def test_the_same_commit_is_built_anew_when_what_it_stands_on_changed(site: Site) -> None:
    site.dockerfile.write_text(DOCKERFILE)
    site.inv("frame", "start")
    former = image_id(site, "tests/visdom:0.2.1")
    site.settings["description"] = "another"
    site.frame.update(build_args={"EXTRA": "1"}, build_options=["--network=host"])
    site.save()
    site.dockerfile.write_text(site.dockerfile.read_text() + "ARG EXTRA\nLABEL extra=${EXTRA}\n")
    done = site.inv("frame").stdout
    changes = "Dockerfile, build arguments, build options, settings"
    reason = f"changed since the last build: {changes}; the tag moves to the new image"
    assert f"Building tests/visdom:0.2.1: {reason}." in done
    assert site.label("tests/visdom:0.2.1", "extra") == "1"
    assert image_id(site, "tests/visdom:0.2.1") != former
    assert site.docker("inspect", "--format", "{{.Image}} {{.State.Running}}", "tests_service") == f"{former} true"
    assert site.inv("labels", "--key", "org.opencontainers.image.description").stdout != "another\n"

    file = site.folder / "Dockerfile.base"
    file.write_text(file.read_text() + "LABEL changed=yes\n")
    assert "Building tests/visdom:0.2.1: changed since the last build: base;" in site.inv("frame").stdout
    assert "already built" in site.inv("frame").stdout
    site.frame["run_options"].append("--read-only")
    site.save()
    assert "changed since the last build: build arguments;" in site.inv("frame").stdout
    assert "--read-only" in site.label("tests/visdom:0.2.1", "org.label-schema.docker.cmd")


def test_an_image_of_the_old_script_is_taken_over_only_for_its_own_commit(site: Site) -> None:
    def old_image(commit: str) -> None:
        labels = f"LABEL org.label-schema.name=tests/visdom org.label-schema.vcs-ref={commit}\n"
        site.engine.docker("build", "--tag", "tests/visdom:0.2.1", "-", input=f"FROM tiny:1\n{labels}")

    old_image("0123456")
    refused = site.inv("frame", code=2)
    assert "tests/visdom:0.2.1 already names commit 0123456, and this is" in refused.stderr
    head = site.git("rev-parse", "HEAD")
    old_image(head[:7])
    done = site.inv("frame").stdout
    assert "Building tests/visdom:0.2.1: changed since the last build: content, Dockerfile, base," in done
    assert site.label("tests/visdom:0.2.1", "org.opencontainers.image.revision") == head


def test_a_teams_own_dockerfile_gets_the_arguments_it_declares_and_the_stamp(site: Site) -> None:
    names = (
        "REPOSITORY TAG DATE VERSION \\ \n  # a comment, and the line goes on\n URL COMMIT BRANCH VENDOR PROJECT PORT"
    )
    pairs = " ".join(f'team.{name}="${{{name}}}"' for name in names.split() if name.isupper())
    bare = site.dockerfile.read_text()
    site.dockerfile.write_text(f"{bare}ARG {names} \\\n  EXTRA\nLABEL {pairs} extra=$EXTRA\n")
    site.frame["build_args"] = {"EXTRA": "a b $c", "HTTP_PROXY": "http://proxy.example.com"}
    site.save()
    head = site.git("rev-parse", "HEAD")
    done = site.inv("frame")
    found = details(site, "tests/visdom:0.2.1")["Config"]["Labels"]
    assert {key: value for key, value in found.items() if key.startswith(("team.", "extra"))} == {
        "team.REPOSITORY": "tests/visdom",
        "team.TAG": "0.2.1",
        "team.DATE": found["org.opencontainers.image.created"],
        "team.VERSION": head[:7],
        "team.URL": "",
        "team.COMMIT": head[:7],
        "team.BRANCH": "main",
        "team.VENDOR": "ColorAI",
        "team.PROJECT": "visdom",
        "team.PORT": str(site.port),
        "extra": "a b $c",
    }
    assert "HTTP_PROXY=http://proxy.example.com" in build_line(done.stdout)  # docker knows it without an ARG
    site.dockerfile.write_text(bare)
    site.frame["build_args"] = {}
    site.save()
    done = site.inv("frame")
    assert "--build-arg" not in build_line(done.stdout) and "not consumed" not in done.stdout + done.stderr
    found = details(site, "tests/visdom:0.2.1")["Config"]["Labels"]
    assert (found["org.label-schema.name"], found["org.opencontainers.image.revision"]) == ("tests/visdom", head)


def test_dry_knows_that_another_base_means_another_frame(site: Site) -> None:
    site.inv("frame")
    former = image_id(site, "tests/base:latest")
    base = site.folder / "Dockerfile.base"
    base.write_text(base.read_text() + "ENV ANOTHER=1\n")
    foretold = site.inv("--dry", "frame").stdout
    assert "Building tests/visdom:0.2.1: changed since the last build: base; the tag moves" in foretold
    assert f"docker image rm {former}" not in foretold  # the former frame stands on it
    acts = [line.split(" --file ")[0] for line in foretold.splitlines() if line.startswith("docker ")]
    done = site.inv("frame").stdout
    assert [line.split(" --file ")[0] for line in done.splitlines() if line.startswith("docker ")] == acts != []


def test_without_a_docker_client_it_is_the_client_that_is_named(site: Site, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for name in ("git", "sh", "bash"):
        (tmp_path / "few" / name).symlink_to(shutil.which(name) or name)
    site.inv("base")
    refused = site.inv("frame", code=1, PATH=str(tmp_path / "few"))
    assert refused.stderr.endswith("There is no docker client on this machine. Type: inv engine, which brings one.\n")


def test_a_step_that_ends_as_an_unknown_program_does_is_a_failed_build(site: Site) -> None:
    site.dockerfile.write_text(f"{PLAIN}RUN exit 127\n")
    assert "The build of tests/visdom:0.2.1 failed" in site.inv("frame", code=1).stderr


def test_a_build_that_takes_longer_than_invoke_is_told_to_allow_is_a_sentence(site: Site) -> None:
    site.inv("base")
    site.dockerfile.write_text(f"{PLAIN}RUN sleep 20\n")
    refused = site.inv("-T", "1", "frame", code=1)
    assert "The build of tests/visdom:0.2.1 failed" in refused.stderr and "longer than 1 s" in refused.stderr


PLAIN = "FROM tests/base:latest\nCOPY . /srv\n"
# Dockerfiles and build options with which one instruction can set the labels, at the end of the file,
STAMPED: dict[str, tuple[str, list[str]]] = {
    "plain": (PLAIN, []),
    "no line end": (PLAIN.strip(), []),
    "Windows line ends": (PLAIN.replace("\n", "\r\n"), []),
    "stages": (f"FROM tests/base:latest AS one\nLABEL org.opencontainers.image.title=one\n{PLAIN}", []),
    "byte order mark": ("\ufeffARG BASE\nFROM $BASE\nCOPY . /srv\n", []),
    "a comment with a backslash": (f"{PLAIN}# the end \\\n", []),
    "labels of its own": (f"{PLAIN}LABEL org.opencontainers.image.title=another own=1\nONBUILD RUN exit 3\n", []),
}
# and those with which each label has to be a flag.
FLAGGED: dict[str, tuple[str, list[str]]] = {
    "escape": (f"# escape=`\n{PLAIN}", []),
    "goes on": (f"{PLAIN}LABEL last=1 \\\n", []),
    "escape after a byte order mark": (f"\ufeff# escape=`\n{PLAIN}RUN true `\n && true\n", []),
    "goes on behind a comment": (f"{PLAIN}LABEL last=1 \\\n  # a comment\n\n", []),
    "another file, quietly": (PLAIN, ["-qfother"]),
    "target": ("FROM tests/base:latest AS one\nCOPY . /srv\nFROM one\nRUN exit 3\n", ["--target", "one"]),
    "another file": (PLAIN, ["-fother"]),
    "a value of two lines": (PLAIN, []),
}


@pytest.mark.parametrize(
    ("kind", "builder"),
    [*((kind, "BuildKit") for kind in (*STAMPED, *FLAGGED)), *((kind, "legacy builder") for kind in STAMPED)],
)
def test_labels_say_the_same_however_they_get_into_the_image(site: Site, kind: str, builder: str) -> None:
    text, options = (STAMPED | FLAGGED)[kind]
    hostile = r"""C:\new \\server "a" 'b' $HOME ${X} \$Y `id` $$ # x {"a": "\"b\""} é"""
    description = "one\ntwo" if kind == "a value of two lines" else hostile
    site.environment["DOCKER_BUILDKIT"] = str(int(builder == "BuildKit"))
    site.settings |= {"vendor": "\\", "description": description, "url": "$"}
    site.frame["build_options"] += options
    site.save()
    site.dockerfile.write_bytes(text.encode())
    (site.folder / "other").write_text(PLAIN)
    done = site.inv("frame").stdout
    assert done.partition("docker build --tag tests/visdom")[2].count(" --label ") == (0 if kind in STAMPED else 19)
    labels = details(site, "tests/visdom:0.2.1")["Config"]["Labels"]
    given = {key.rpartition(".")[2]: value for key, value in labels.items() if key.startswith("org.opencontainers")}
    assert (given["vendor"], given["description"], given["url"], given["title"]) == ("\\", description, "$", "visdom")
    assert len(labels) == 19 + ("last" in labels) + ("own" in labels)
    assert json.loads(labels["com.colorai.stack.inputs"])["content"] == site.git("rev-parse", "HEAD^{tree}")
    assert left(site) == LOCKS


def test_a_label_as_a_build_option_has_the_last_word_and_takes_no_second_build(site: Site) -> None:
    site.frame["build_options"] += ["--label", "org.opencontainers.image.vendor=another"]
    site.save()
    assert site.inv("frame").stdout.count("docker build --tag tests/visdom") == 1
    assert site.label("tests/visdom:0.2.1", "org.opencontainers.image.vendor") == "another"


def test_labels_that_do_not_get_into_the_image_at_the_end_of_its_dockerfile_are_flags(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    site.inv("base")
    monkeypatch.setattr(building, "stamped", lambda dockerfile, labels, options: dockerfile)
    monkeypatch.setattr(building, "BUILDS", site.folder)
    config = Config(project_location=site.root, overrides={"run": {"in_stream": False}})
    config.load_project()
    c = Context(config)
    recipe = Recipe("tests/visdom:1", site.dockerfile, site.source, {}, {"a": "b"}, ["--network", "host"])
    building.build_image(building.Build(c, site.engine.api, settings_of(c)), recipe)
    assert site.label("tests/visdom:1", "a") == "b"
    assert f"{site.dockerfile} swallowed the labels at its end; building again with flags." in capfd.readouterr().out


def test_what_a_dockerfile_ignores_is_ignored(site: Site) -> None:
    """BuildKit looks beside the Dockerfile for what to leave out of the context."""
    site.commit("secret.txt", "secret\n")
    Path(f"{site.dockerfile}.dockerignore").write_text("secret.txt\n")
    site.inv("frame")
    site.docker("create", "--name", "look", "tests/visdom:0.2.2", "true")
    assert site.engine.docker("cp", "look:/srv/secret.txt", "-", check=False).returncode == 1
    assert site.engine.docker("cp", "look:/srv/index.html", "-", check=False).returncode == 0


def test_what_the_source_has_docker_ignore_is_named_and_never_all_of_it(site: Site) -> None:
    site.commit(".dockerignore", "secret.txt\n")
    site.commit("secret.txt", "secret\n")
    named = f"Not in the image: 1 file of {site.source} that .dockerignore leaves out (secret.txt).\n"
    assert named in site.inv("frame").stdout
    for everything in ("*\n", "# all\n**/*\n", "*\n!nothing\n"):
        site.commit(".dockerignore", everything)
        site.commit("Dockerfile", everything)  # docker sends these two, whatever it is told
        said = site.inv("frame", code=1).stderr
        assert said.startswith(
            f".dockerignore leaves out every file of {site.source}, so that nothing of it would be in"
        )
        assert len(said.splitlines()) == 1
    site.commit(".dockerignore", "a[z-a]\n")
    assert ".dockerignore holds a line that is no pattern" in site.inv("frame", code=1).stderr
    assert [image.tag for image in site.engine.api.images("tests/visdom")] == ["0.2.3"]


@pytest.mark.parametrize("same", [True, False], ids=["the same content", "another commit"])
def test_a_tag_that_another_machine_moves_in_that_very_moment_is_given_back(
    site: Site, tmp_path: Path, same: bool
) -> None:
    site.inv("frame")
    theirs = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.1")
    site.docker("image", "tag", theirs, "tests/other:1")
    site.docker("image", "rm", "tests/visdom:0.2.1")
    if not same:
        site.git("commit", "--quiet", "--amend", "--message", "another")
    real = shutil.which("docker")
    client = tmp_path / "client/docker"
    client.parent.mkdir()
    moving = f"[ \"$1 $2 $4\" != 'image tag tests/visdom:0.2.1' ] || {real} image tag {theirs} tests/visdom:0.2.1\n"
    client.write_text(f'#!/bin/sh\n{moving}exec {real} "$@"\n')
    client.chmod(0o755)
    path = f"{client.parent}:{site.environment['PATH']}"
    try:
        done = site.inv("frame", code=0 if same else 2, PATH=path, DOCKER_BUILDKIT="0")
        if same:
            assert "was built from this commit by somebody else meanwhile; that one stays." in done.stdout
        else:
            assert "tests/visdom:0.2.1 already names commit" in done.stderr and "--suffix NAME" in done.stderr
        assert site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.1") == theirs
        site.inv("frame", "--force", PATH=path, DOCKER_BUILDKIT="0")
        assert site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.1") != theirs
    finally:
        site.docker("image", "rm", "tests/other:1", check=False)


def test_declared_arguments_are_found_in_every_form(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_bytes(b'# ARG NO caf\xe9\nARG A=1 B\n arg C\\\n D=x\nRUN echo ARG NO\n\tARG\tE="x"\nENV NO=1\nARGNO x\n')
    assert declared(file, dict.fromkeys(["A", "B", "C", "D", "E", "NO"], "v")).keys() == {
        "A",
        "B",
        "C",
        "D",
        "E",
    }


def test_what_a_killed_build_left_beside_a_dockerfile_leaves_nothing_out(tmp_path: Path) -> None:
    left_over = tmp_path / "ours.dockerignore"
    left_over.write_text("*\n")
    with written(tmp_path / "ours", b"FROM x\n", tmp_path / "original"):
        assert (tmp_path / "ours").read_bytes() == b"FROM x\n" and not left_over.exists()
    assert not [*tmp_path.iterdir()]


def test_a_newer_client_is_told_to_attach_no_attestation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    client = tmp_path / "docker"
    client.write_text('#!/bin/sh\necho "$1 at $DOCKER_HOST, no attestations: $BUILDX_NO_DEFAULT_ATTESTATIONS"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    c = Context(Config(overrides={"run": {"in_stream": False}}))
    nowhere = Engine(Endpoint("unix:///nowhere"))
    building.Build(c, nowhere, load_file(c, ROOT / "invoke.yaml")).do(["docker", "build", "."], "")
    assert "build at unix:///nowhere, no attestations: 1\n" in capfd.readouterr().out


def test_several_frames_need_a_name(site: Site) -> None:
    site.settings["frames"]["other"] = {**site.frame, "image": "tests/other", "service": "tests_other"}
    site.save()
    refused = site.inv("--dry", "frame", code=2)
    assert refused.stderr.strip().endswith("There are several frames. Type --name with one of: visdom, other.")
    assert "Type --name with one of: visdom, other." in site.inv("--dry", "frame", "--name", "nope", code=2).stderr
    site.inv("frame", "--name", "other")
    assert site.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "tests/other") == "tests/other:0.2.1"
    assert not site.docker("images", "--quiet", "tests/visdom")


@pytest.mark.parametrize("builder", ["legacy builder", "BuildKit"])
def test_a_frame_that_fails_is_no_reason_for_another_and_leaves_no_container(site: Site, builder: str) -> None:
    site.environment["DOCKER_BUILDKIT"] = str(int(builder == "BuildKit"))
    site.inv("frame")
    site.commit()
    broken = site.folder / "Dockerfile.broken"
    broken.write_text(f"{PLAIN}RUN exit 3\n")
    other = {**site.frame, "image": "tests/other", "service": "tests_other"}
    third = {**site.frame, "image": "tests/third", "service": "tests_third"}
    site.settings["frames"] = {"other": {**other, "dockerfile": str(broken)}, **site.settings["frames"], "third": third}
    site.save()
    done = site.inv("frame", "--all", "start", "--name", "third", code=1)
    last = done.stderr.strip().splitlines()[-1]
    assert last == "Not built: other; the lines above say why. The others are built: visdom, third."
    assert "other: The build of tests/other:0.2.2 failed; the lines above say why.\n" in done.stdout
    assert image_id(site, "tests/visdom:0.2.2") and image_id(site, "tests/third:0.2.2")
    assert site.docker("ps", "--all", "--quiet") == ""
    alone = site.inv("frame", "--name", "other", code=1).stderr.strip().splitlines()[-1]
    assert alone == "The build of tests/other:0.2.2 failed; the lines above say why."
    broken.write_text(PLAIN)
    site.inv("frame", "--name", "other")
    broken.write_text(f"{PLAIN}RUN exit 3\n")
    again = site.inv("frame", "--name", "other", code=1).stderr.strip().splitlines()[-1]
    assert again == f"{alone} The earlier image of that name stays."


def test_an_empty_label_is_set_only_where_another_images_would_be_inherited(site: Site) -> None:
    key = "org.opencontainers.image.source"
    site.inv("frame")
    assert key not in details(site, "tests/visdom:0.2.1")["Config"]["Labels"]
    parent = like(site.engine, "tiny:1", Labels={key: "https://example.com/parent"})
    load(site.engine, {"tests/parent:1": parent})
    site.dockerfile.write_text("FROM tests/parent:1\nCOPY . /srv\n")
    site.inv("frame")
    assert details(site, "tests/visdom:0.2.1")["Config"]["Labels"][key] == ""
    site.dockerfile.write_text(f"FROM tests/parent:1\nCOPY . /srv\nLABEL {key}=https://example.com/own\n")
    site.inv("frame")
    assert details(site, "tests/visdom:0.2.1")["Config"]["Labels"][key] == "https://example.com/own"


def test_a_build_that_fails_or_is_killed_leaves_the_former_image_and_the_next_one_works(site: Site) -> None:
    site.inv("frame")
    former = image_id(site, "tests/visdom:0.2.1")
    works = site.dockerfile.read_text()
    site.dockerfile.write_text(works + "RUN exit 3\n")
    failed = site.inv("frame", code=1)
    assert failed.stderr.strip().splitlines()[-1].startswith("The build of tests/visdom:0.2.1 failed")
    assert image_id(site, "tests/visdom:0.2.1") == former
    assert left(site) == LOCKS

    site.dockerfile.write_text(works + "RUN sleep 60\n")
    assert stopped(site, signal.SIGINT) == 130
    assert image_id(site, "tests/visdom:0.2.1") == former
    assert left(site) == LOCKS
    assert stopped(site, signal.SIGKILL) == -signal.SIGKILL
    assert image_id(site, "tests/visdom:0.2.1") == former
    (site.root / ".build/tests=visdom/left-over.txt").write_text("of a killed build\n")
    site.dockerfile.write_text(works + "LABEL after=kill\n")
    site.inv("frame")
    site.docker("create", "--name", "look", "tests/visdom:0.2.1", "true")
    assert site.engine.docker("cp", "look:/srv/left-over.txt", "-", check=False).returncode == 1
    assert left(site) == LOCKS


def stopped(site: Site, number: signal.Signals) -> int:
    """Type `inv frame` and send a signal to all of it in the middle of `RUN sleep 60`; returns the exit code."""
    run = site.start(["frame"], {}, together=True)
    assert run.stdout
    for line in run.stdout:
        if "RUN sleep 60" in line:
            break
    os.killpg(run.pid, number)
    output, _ = run.communicate()
    assert "Traceback" not in output
    return run.wait()


def test_two_at_once_do_one_build(site: Site) -> None:
    site.inv("base")
    site.dockerfile.write_text(site.dockerfile.read_text() + "RUN sleep 1\n")
    runs = [site.start(["frame"], {}, together=True) for _ in range(2)]
    outputs = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert sum("docker build" in output for output in outputs) == 1, outputs
    assert sum("is already built from commit" in output for output in outputs) == 1
    assert left(site) == LOCKS


def test_a_missing_dockerfile_and_a_folder_of_another_user_get_a_sentence(site: Site) -> None:
    site.inv("base")
    site.frame["dockerfile"] = "docker/Nowhere"
    site.save()
    assert f"There is no Dockerfile {site.root}/docker/Nowhere." in site.inv("frame", code=2).stderr
    lock = site.root / ".build/tests=visdom.lock"
    lock.mkdir()
    site.frame["dockerfile"] = str(site.dockerfile)
    site.save()
    assert f"{site.root}/.build cannot be used" in site.inv("frame", code=1).stderr


def test_frame_and_its_flags_are_explained(site: Site) -> None:
    shown = site.inv("--help", "frame").stdout
    for flag in ("--name", "--force", "--dirty", "--suffix"):
        assert flag in shown
    assert "The base below it is brought first, as by `inv base`." in shown


def test_each_step_is_done_once_in_a_run(site: Site) -> None:
    for typed in (["frame"], ["base", "frame"], ["fetch-vendor", "base", "frame", "base"]):
        said = site.inv("--dry", *typed).stdout
        assert said.count("vendor/ is up to date") + said.count("Would fetch") == 1, said
        assert said.count("Building tests/base:latest") + said.count("tests/base:latest is up to date") == 1, said
    said = site.inv("--dry", "fetch-vendor", "--only", "bottle", "base").stdout
    assert said.count("vendor/ is up to date") + said.count("Would fetch") == 2, "one library is not all of them"
