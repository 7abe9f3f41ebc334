"""What a frame is stamped with: only what is true of it. Its tag moves once, to what was built."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from sites import Site

from tasks.building.secrets import secrets_in

OWN = "com.colorai.stack."
OCI = "org.opencontainers.image."
COMMAND = "org.label-schema.docker.cmd"


@pytest.fixture
def site(own_site: Site) -> Site:
    return own_site


def labels(site: Site, reference: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        site.docker("image", "inspect", "--format", "{{json .Config.Labels}}", reference)
    )
    return found


def tags(site: Site) -> set[str]:
    return set(site.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())


def parent(site: Site, change: str) -> None:
    site.engine.docker("build", "--tag", "tests/parent:1", "-", input=f"FROM tiny:1\nENV {change}=1\n")


def test_a_frame_that_does_not_stand_on_the_base_waits_for_none_and_does_not_name_it(site: Site) -> None:
    parent(site, "ONE")
    if "tests/base:latest" in tags(site):
        site.docker("image", "rm", "--force", "tests/base:latest")
    site.dockerfile.write_text("FROM tests/parent:1\nCOPY . /srv\n")
    site.frame["run_options"] += ["--env", "API_KEY=x", "-e", "MODE=y"]
    site.save()
    done = site.inv("frame").stdout
    assert "tests/base:latest" not in done and "tests/base:latest" not in tags(site)
    assert done.count("Warning: API_KEY in run_options of stack.frames.visdom looks like a secret") == 1
    assert "start.env_files" in done
    found = labels(site, "tests/visdom:0.2.1")
    assert not {OCI + "base.name", OCI + "base.digest", OWN + "base", OWN + "vendor"} & found.keys()
    assert found[COMMAND].startswith("docker run --detach --name tests_service") and "0.2.1" in found[COMMAND]
    assert "is already built" in site.inv("frame").stdout
    parent(site, "TWO")
    assert "changed since the last build: parent; the tag moves" in site.inv("frame").stdout
    site.frame["command"] = ["true"]
    site.save()
    assert "changed since the last build: recommended command; the tag moves" in site.inv("frame").stdout

    site.dockerfile.write_text(f'FROM tests/parent:1\nCOPY . /srv\nLABEL {COMMAND}="own"\n')
    done = site.inv("frame").stdout
    assert labels(site, "tests/visdom:0.2.1")[COMMAND] == "own" and "Warning" not in done
    (site.folder / "other").write_text("FROM tests/parent:1\nCOPY . /srv\n")
    site.frame["build_options"] += ["--file", str(site.folder / "other")]  # which nobody can foretell
    site.save()
    done = site.inv("frame").stdout
    assert "tests/visdom:0.2.1 does not stand on tests/base:latest; building again without its labels." in done
    assert "leaves the recommended command empty; building again with that of the settings." in done
    found = labels(site, "tests/visdom:0.2.1")
    assert OWN + "base" not in found and found[COMMAND].endswith(" tests/visdom:0.2.1 true")
    assert "is already built" in site.inv("frame").stdout
    assert not [tag for tag in tags(site) if "building" in tag]


def test_a_build_that_brings_no_image_has_failed(site: Site) -> None:
    site.inv("frame")
    before = site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.1")
    site.frame["build_options"] += ["--output", f"type=local,dest={site.folder}/out"]
    site.save()
    failed = site.inv("frame", code=1).stderr
    assert "The build of tests/visdom:0.2.1 ended well and brought no image to this engine." in failed
    assert site.docker("image", "inspect", "--format", "{{.Id}}", "tests/visdom:0.2.1") == before


def test_of_two_checkouts_that_build_one_tag_at_once_one_is_refused(site: Site, tmp_path: Path) -> None:
    site.inv("base")
    (tmp_path / "theirs").mkdir()
    theirs = Site(site.engine, "tiny:1", tmp_path / "theirs")
    theirs.own_project()
    theirs.environment |= {"DOCKER_BUILDKIT": "1", "PATH": site.environment["PATH"]}
    shutil.copy(site.folder / "Dockerfile.base", theirs.folder / "Dockerfile.base")
    commits = []
    for one in (site, theirs):
        one.dockerfile.write_text("FROM tests/base:latest\nRUN sleep 4\nCOPY . /srv\n")
        commits.append(one.commit(text=f"{one.folder}\n"))
        one.save()
    runs = [
        subprocess.Popen(
            one.command("frame"), env=one.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for one in (site, theirs)
    ]
    said = [run.communicate()[0] for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(codes) == [0, 2], "\n\n".join(said)
    won, lost = codes.index(0), codes.index(2)
    assert f"tests/visdom:0.2.2 already names commit {commits[won][:7]}, and this is {commits[lost][:7]}" in said[lost]
    assert site.label("tests/visdom:0.2.2", OCI + "revision") == commits[won]
    assert not [tag for tag in tags(site) if "building" in tag]


def test_one_checkout_has_several_frames(site: Site) -> None:
    site.commit("one/a.txt", "one\n")
    site.commit("two/b.txt", "two\n")
    (site.source / "two/b.txt").write_text("not committed\n")
    site.frame.update(source=f"{site.source}/one", latest=True)
    other = {
        **site.frame,
        "image": "tests/other",
        "service": "tests_other",
        "series": "7",
        "source": f"{site.source}/two",
    }
    del other["port"], other["latest"]
    site.settings["frames"]["other"] = other
    site.save()
    refused = site.inv("frame", "--all", code=2)
    assert refused.stderr.startswith(f"{site.source}/two has uncommitted changes.") and refused.stdout == ""
    assert site.inv("frame", "--all", "--name", "other", code=2).stderr == "Type either --name NAME or --all.\n"
    site.git("commit", "--quiet", "--all", "--message", "more")
    foretold = site.inv("--dry", "frame", "--all").stdout
    assert "docker image tag tests/visdom:0.2.4 tests/visdom:latest" in foretold
    assert "Type --name with one of: visdom, other." in site.inv("--dry", "frame", "--all", "start", code=2).stderr
    site.inv("frame", "--all")
    assert {"tests/visdom:0.2.4", "tests/visdom:latest", "tests/other:7.4"} <= tags(site)
    assert "tests/other:latest" not in tags(site)
    assert labels(site, "tests/other:7.4")[OWN + "tree"] == site.git("rev-parse", "HEAD:two")
    assert OWN + "port" in labels(site, "tests/visdom:0.2.4") and OWN + "port" not in labels(site, "tests/other:7.4")
    site.docker("image", "rm", "tests/visdom:latest")
    suffix = foretold.partition("tests/visdom:0.2.4.")[2].split()[0]
    site.docker("tag", "tests/visdom:0.2.4", f"tests/visdom:0.2.3.{suffix}")  # as of a build that was killed
    site.inv("frame", "--name", "visdom", "--force")
    assert not [tag for tag in tags(site) if "building" in tag]
    site.docker("image", "rm", "tests/visdom:latest")
    assert "docker image tag tests/visdom:0.2.4 tests/visdom:latest" in site.inv("frame", "--name", "visdom").stdout
    assert "tests/visdom:latest" not in site.inv("frame", "--name", "visdom").stdout


def test_what_a_commit_does_not_hold_is_not_built(site: Site) -> None:
    site.inv("base")
    first = site.git("rev-parse", "HEAD")
    head = site.commit("weights.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    refused = site.inv("frame", code=1).stderr
    assert refused.startswith("weights.bin is an LFS pointer") and f"git -C {site.source} lfs pull" in refused
    site.git("replace", head, first)
    site.git("reset", "--quiet", "--hard")
    refused = site.inv("frame", code=2).stderr
    assert f"The files in {site.source} are not those of commit {head[:7]}" in refused
    subprocess.run(["sh", "-ec", refused.partition("Type: ")[2]], check=True)
    site.git("reset", "--quiet", "--hard", first)
    site.commit(os.fsdecode(b"caf\xe9.txt"))
    client = site.folder / "newer/docker"  # whose BuildKit says this
    client.parent.mkdir()
    client.write_text(
        "#!/bin/sh\necho 'ERROR: grpc: error while marshaling: string field contains invalid UTF-8' >&2; exit 1\n"
    )
    client.chmod(0o755)
    refused = site.inv("frame", code=1, PATH=f"{client.parent}:{os.environ['PATH']}").stderr
    assert refused.splitlines()[-1] == (
        "The build of tests/visdom:0.2.2 failed: BuildKit takes no file whose name is not UTF-8, such as caf\\xe9.txt. "
        "Rename it, or build without BuildKit: DOCKER_BUILDKIT=0 inv …"
    )
    site.inv("frame", DOCKER_BUILDKIT="0")


SECRET = {"API_KEY", "DB_PASS", "PGPASSWORD", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "githubToken", "MYSQL_PWD"}
PLAIN = {"MODE", "TOKENIZERS_PARALLELISM", "KEYBOARD", "PASSIVE", "MONKEY", "PORT"}


def test_a_variable_that_looks_like_a_secret_is_seen_in_every_form() -> None:
    pairs = [f"{name}=x" for name in sorted(SECRET | PLAIN)]
    assert set(secrets_in(["--env", "MODE=1", *(word for pair in pairs for word in ("-e", pair))])) == SECRET
    assert secrets_in(["--env=A_KEY=x", "-eB_KEY=x", "--env", "C_KEY", "--env", "D_KEY=", "--label", "E_KEY=x"]) == [
        "A_KEY",
        "B_KEY",
    ]
    assert secrets_in(["--env", "URL=postgres://user:pw@host/x", "--env", "SITE=https://user@host:80/x"]) == ["URL"]
