"""`base`: the second layer, when it is built, and what becomes of the former one."""

import json
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from invoke import Config, Context
from sites import Site

from tasks.host import debian

BASE = "tests/base:latest"


@pytest.fixture
def site(own_site: Site) -> Site:
    return own_site


def image_id(site: Site, reference: str = BASE) -> str:
    """An image's id; "" when it is not here."""
    return site.docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)


def change(site: Site, line: str) -> None:
    """Add a line to the base's Dockerfile."""
    file = site.folder / "Dockerfile.base"
    file.write_text(file.read_text() + line + "\n")


def build_line(output: str) -> str:
    return "".join(line for line in output.splitlines() if line.startswith("docker build"))


def without_base(site: Site) -> None:
    if image_id(site):
        site.docker("image", "rm", "--force", BASE)


def test_the_base_is_built_when_it_is_missing_or_an_input_changed_and_says_which(site: Site) -> None:
    without_base(site)
    foretold = site.inv("--dry", "base").stdout
    assert "Building tests/base:latest: it is missing." in foretold
    assert not image_id(site) and not (site.root / ".build").exists()
    done = site.inv("base").stdout
    assert build_line(done) == build_line(foretold) != ""
    labels = json.loads(site.docker("image", "inspect", "--format", "{{json .Config.Labels}}", BASE))
    assert labels["org.label-schema.name"] == "tests/base"
    assert labels["org.opencontainers.image.base.name"] == "tiny:1"
    assert labels["org.opencontainers.image.base.digest"] == image_id(site, "tiny:1")
    assert json.loads(labels["com.colorai.stack.vendor"])["bottle"].startswith("pypi bottle==")

    first = image_id(site)
    assert "tests/base:latest is up to date." in site.inv("base").stdout
    change(site, "RUN touch /tmp/changed")
    foretold = site.inv("--dry", "base").stdout
    assert image_id(site) == first
    assert f"docker image rm {first}" in foretold
    done = site.inv("base").stdout
    assert "Building tests/base:latest: changed since the last build: Dockerfile." in done
    assert build_line(done) == build_line(foretold) != ""
    assert not image_id(site, first), "the former base is still there"

    (site.root / "vendor/vendor.yaml").write_text("")
    site.docker("tag", "tiny:1", "tiny:2")
    site.settings["base"] |= {"parent": "tiny:2", "build_options": ["--network=host"]}
    site.save()
    done = site.inv("base").stdout
    assert "changed since the last build: vendored libraries, build options." in done  # the parent is the same image
    site.engine.docker("build", "--tag", "tiny:2", "-", input="FROM tiny:1\nENV OTHER=1\n")
    assert "changed since the last build: parent." in site.inv("base").stdout
    assert "OTHER=1" in site.docker("image", "inspect", "--format", "{{.Config.Env}}", BASE)
    forced = site.inv("base", "--force").stdout
    assert "Building tests/base:latest: --force was given." in forced and " --no-cache " in build_line(forced)
    assert (
        len(site.docker("images", "--all", "--quiet", "--filter", "label=org.label-schema.name=tests/base").split())
        == 1
    )


def test_a_base_that_cannot_be_built_leaves_the_former_one_and_builds_no_frame_on_it(site: Site) -> None:
    site.inv("base")
    former = image_id(site)
    change(site, "RUN exit 7")
    failed = site.inv("frame", code=1)
    assert (
        failed.stderr.strip()
        .splitlines()[-1]
        .startswith("The build of tests/base:latest failed; the lines above say why.")
    )
    assert "tests/visdom" not in failed.stdout
    assert image_id(site) == former and not site.docker("images", "--quiet", "tests/visdom")

    site.settings["base"]["parent"] = "127.0.0.1:1/no/parent:1"
    site.save()
    failed = site.inv("base", code=1)
    assert "docker pull 127.0.0.1:1/no/parent:1" in failed.stdout and "docker build" not in failed.stdout
    assert failed.stderr.strip().splitlines()[-1] == (
        "The parent image 127.0.0.1:1/no/parent:1 (setting stack.base.parent) is not here and cannot be pulled. "
        "Bring it with docker load or docker pull, or name one that is here."
    )
    assert image_id(site) == former
    foretold = site.inv("--dry", "base").stdout
    assert "docker pull 127.0.0.1:1/no/parent:1" in foretold and "docker build" in foretold


def test_a_former_base_stays_as_long_as_something_uses_it(site: Site) -> None:
    change(site, "LABEL number=1")
    site.inv("frame")
    one = image_id(site)
    change(site, "LABEL number=2")  # the layers stay the same, so only labels tell the two apart
    site.inv("base")
    two = image_id(site)
    assert image_id(site, one) == one, "a frame stands on it"
    site.docker("image", "rm", "tests/visdom:0.2.1")
    site.docker("create", "--name", "uses_two", BASE, "true")
    change(site, "RUN touch /tmp/three")
    done = site.inv("base").stdout
    assert f"docker image rm {one}" in done and two not in done
    three = image_id(site)
    assert not image_id(site, one), "nothing uses it any more"
    assert image_id(site, two) == two, "a container uses it"
    site.docker("rm", "uses_two")
    site.docker("create", "--name", "by_hand", BASE, "true")
    site.docker("cp", str(site.dockerfile), "by_hand:/tmp/of_a_person")
    made_by_hand = site.docker("commit", "by_hand")  # nameless, and with all labels of the base
    site.docker("rm", "by_hand")
    change(site, "RUN touch /tmp/four")
    site.inv("base")
    assert not image_id(site, two)
    assert image_id(site, three) == three, "an image made by hand stands on it"
    assert image_id(site, made_by_hand) == made_by_hand, "it is no base, and not ours to remove"
    site.docker("image", "rm", made_by_hand)
    site.inv("base", "--force")
    assert not image_id(site, three)


def test_the_base_of_the_old_script_is_replaced(site: Site) -> None:
    without_base(site)
    site.engine.docker("build", "--network=host", "--tag", BASE, "-", input="FROM tiny:1\nRUN touch /old\n")
    old = image_id(site)
    site.engine.docker("build", "--tag", "tests/old:1", "-", input=f"FROM {BASE}\nENV FRAME=1\n")
    done = site.inv("base").stdout
    reasons = "Dockerfile, vendored libraries, parent, build options"
    assert f"Building tests/base:latest: changed since the last build: {reasons}." in done
    assert image_id(site) != old == image_id(site, old), "a frame stands on it"
    site.docker("tag", old, BASE)
    site.docker("image", "rm", "--force", "tests/old:1")
    site.inv("base")
    assert not image_id(site, old)


def get(port: int, path: str) -> str:
    """What the service answers within 10 s."""
    for _ in range(100):
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as reply:
                return str(reply.read().decode())
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"nothing answers on port {port}")


@pytest.mark.slow
def test_the_projects_own_dockerfiles_make_a_service_on_debian(site: Site) -> None:
    site.environment["DOCKER_BUILDKIT"] = "0"  # whose log shows each command and whether a step came from the cache
    archive = debian.root_file_system(Context(Config(overrides={"run": {"in_stream": False}})))
    site.docker("import", str(archive), "tests/debian:1")
    site.settings["base"] |= {"parent": "tests/debian:1", "dockerfile": "docker/Dockerfile.base"}
    site.frame.update(
        dockerfile="docker/Dockerfile", command=["python", "cauchy_services.py", "--port", str(site.port)]
    )
    site.save()
    for path in (site.root / "docker/framework").iterdir():
        if path.is_file():
            site.commit(path.name, path.read_text())
    head = site.git("rev-parse", "HEAD")
    built = site.inv("frame").stdout
    assert "pip install --no-index" in built and "Successfully installed bottle" in built
    assert "Downloading" not in built.partition("pip install")[2]
    tag = f"0.2.{site.git('rev-list', '--count', 'HEAD')}"
    image = f"tests/visdom:{tag}"
    look = ["sh", "-c", "ls -A /var/lib/apt/lists; ls -d /root/.cache /tmp/*; ls /opt/cauchycv"]
    left = site.docker("run", "--rm", "--network", "host", image, *look)
    assert left.split() == ["cauchy_services.py", "index.html"]

    for options in ([], ["--init"]):
        site.docker(
            "run", "--detach", "--name", "service", "--network", "host", "--env", f"PORT={site.port}", *options, image
        )
        begun = time.time()
        about = json.loads(get(site.port, "/"))
        assert (about["version"], about["commit"]) == (head[:7], head[:7])
        assert begun - 30 < about["started"] < begun + 30
        assert json.loads(get(site.port, "/healthz")) == {"status": "ok"}
        check = site.docker("image", "inspect", "--format", "{{json .Config.Healthcheck.Test}}", image)
        site.docker("exec", "service", *json.loads(check)[1:])
        if options:
            for _ in range(600):  # the engine asks every 10 s
                state = site.docker("inspect", "--format", "{{.State.Health.Status}}", "service")
                if state != "starting":
                    break
                time.sleep(0.1)
            assert state == "healthy"
        begun = time.monotonic()
        site.docker("stop", "service")
        assert time.monotonic() - begun < 8  # docker kills after 10
        assert site.docker("inspect", "--format", "{{.State.ExitCode}}", "service") == "0"
        site.docker("rm", "service")

    before = layers(site, image)
    site.commit("index.html", "one line more\n")
    built = site.inv("frame").stdout
    after = layers(site, f"tests/visdom:0.2.{int(tag.rpartition('.')[2]) + 1}")
    assert after[: len(before) - 1] == before[:-1] and len(after) == len(before) and after != before
    assert "tests/base:latest is up to date." in built
    without_base(site)
    for name in site.docker("images", "--quiet", "tests/visdom").split():
        site.docker("image", "rm", "--force", name)


def layers(site: Site, reference: str) -> list[str]:
    found: list[str] = json.loads(site.docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference))
    return found
