"""The faults of the two shell scripts that this project replaces: REPLACED.md, "Where they failed", row by row.

Each is proven not to come back. What another file proves already is not repeated here:

    every upgrade                           test_start: every_upgrade_replaces_the_container_that_holds_the_name
    a failed `docker run`                   here
    a wrong answer at the menu              test_start: stopping_at_the_question…, without_a_terminal…
    python as process 1                     test_base: the_projects_own_dockerfiles_make_a_service_on_debian
    rebuilding a tag                        here; test_labels: a_version_whose_tag_moved_on…
    `--filter ancestor=`                    here; test_switch: versions_under_other_names_make_room_and_others_do_not
    `--filter name=`                        here
    `for c in $containers`                  here
    `$cmd` unquoted                         here; test_docker_agrees: what docker sees of a made label
    `.ContainerConfig.Labels`               here; test_frame: a_frame_holds_the_commit… with both builders
    inherited labels                        here; test_labels: what_is_missing_is_answered_with_what_there_is
    a dirty tree                            test_frame: a_tag_names_one_content; test_contents
    two branches, equal counts              test_frame: a_tag_names_one_content
    a token in the origin URL               test_frame: a_frame_holds_the_commit…; test_text
    `ARG`/`LABEL` with the date above `RUN` test_base: the_projects_own_dockerfiles…, which compares layers
    a changed `Dockerfile.base`             test_base: the_base_is_built_when…, a_base_that_cannot_be_built…
    exit codes                              here; test_base, test_frame: builds that fail
    external libraries                      test_downloads; test_repositories; test_archives; test_fetch
    two people at once                      test_races; test_frame: two_at_once_do_one_build
"""

import json
import shlex
import subprocess

import pytest
from sites import Site, buildkit
from versions import SERVE, make

SERVICE = "docker run -d --name tests_service --network host --init"


def start(site: Site, tag: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Type `inv start` for a version; the rehearsal, which the scripts did not have, would find some faults first."""
    return site.inv("start", "--tag", tag, "--no-rehearsal", code=code)


def by_hand(site: Site, name: str, image: str, verb: str = "run") -> None:
    """Start a container as the script did, under any name."""
    detach = ["--detach"] if verb == "run" else []
    site.docker(verb, *detach, "--name", name, "--network", "host", "--init", image, "sleep", "1000")


def versions_offered(site: Site) -> list[str]:
    """The tags in the list that `inv start` shows where nobody can be asked."""
    said = site.inv("start", code=2).stderr
    assert "nobody can be asked" in said
    return sorted(line.split()[0] for line in said.splitlines() if line.startswith("  "))


@pytest.mark.parametrize("state", ["created", "exited", "dead at start"])
def test_a_failed_docker_run_is_no_obstacle_to_the_next_start(site: Site, state: str) -> None:
    make(site, "1.0")
    broken = "tests/visdom:2.0"
    make(site, "2.0", label=f"{SERVICE} {broken} /no/such/program")
    if state == "dead at start":
        said = start(site, "2.0", code=1).stderr
        assert "No version runs, as before." in said
        assert site.docker("ps", "--all", "--quiet") == "", "what could not be started is gone"
    else:
        by_hand(site, "tests_service", broken, verb="create")
        if state == "exited":
            site.docker("start", "tests_service")
            site.docker("kill", "tests_service")
    start(site, "1.0")
    assert site.answer() == "1.0"
    assert site.running() == {"tests_service": "tests/visdom:1.0"}


def test_a_rebuilt_tag_is_one_version_and_its_former_container_is_still_the_service(site: Site) -> None:
    make(site, "1.0")
    make(site, "2.0")
    start(site, "1.0")
    make(site, "1.0", label=f"{SERVICE} tests/visdom:1.0 sleep 1")
    assert site.docker("images", "--quiet", "--filter", "dangling=true"), "the former image has no name any more"
    assert versions_offered(site) == ["1.0", "2.0"]
    start(site, "2.0")
    assert site.running() == {"tests_service": "tests/visdom:2.0"}, "the nameless one was stopped"
    make(site, "2.0", extra="ENV REBUILT=2")  # the legacy builder makes the former image this one's parent
    done = start(site, "2.0")
    assert "2.0 runs as tests_service; before: 2.0" in done.stdout, "another content is another version"
    assert len(site.running()) == 1 and site.answer() == "2.0"


def test_a_running_container_of_a_child_image_is_not_the_service(site: Site) -> None:
    make(site, "1.0")
    site.engine.docker("build", "--tag", "tests/dev:1", "-", input="FROM tests/visdom:1.0\nENV DEV=1\n")
    site.engine.docker("build", "--tag", "tests/visdom-dev:1.0", "-", input="FROM tests/visdom:1.0\nENV DEV=2\n")
    by_hand(site, "a-dev", "tests/dev:1")
    by_hand(site, "another-dev", "tests/visdom-dev:1.0")
    assert "1.0 runs as tests_service" in start(site, "1.0").stdout
    assert site.answer() == "1.0"
    assert set(site.running()) == {"tests_service", "a-dev", "another-dev"}


def test_containers_whose_names_contain_the_services_name_are_left_alone(site: Site) -> None:
    make(site, "1.0")
    make(site, "2.0")
    others = ("my_tests_service", "tests_service2", "tests_service.db", "tests_service.1.0")
    for name in others:
        by_hand(site, name, "tiny:1")
    start(site, "1.0")
    start(site, "2.0")
    assert site.running() == {"tests_service": "tests/visdom:2.0"} | dict.fromkeys(others, "tiny:1")


def test_every_running_version_is_stopped_and_not_only_the_first(site: Site) -> None:
    """Those under the names that their own images recommend, whatever the settings call the service today."""
    for tag, name in (("1.0", "first"), ("2.0", "second"), ("3.0", "tests_service")):
        site.frame["service"] = name
        make(site, tag)
    by_hand(site, "first", "tests/visdom:1.0")
    by_hand(site, "second", "tests/visdom:2.0")
    start(site, "3.0")
    assert site.running() == {"tests_service": "tests/visdom:3.0"}
    assert site.answer() == "3.0"


def test_quotes_of_the_recommended_command_are_kept_and_nothing_expands(site: Site) -> None:
    words = [
        "two  words",
        "it's",
        '"',
        "*",
        "$HOME",
        "$(touch pwned)",
        "`id`",
        "a;b",
        "a&b",
        "a|b",
        ">f",
        "~",
        "",
        "\\",
    ]
    process = ["sh", "-c", SERVE.format(port=site.port), *words]
    make(site, "1.0", label=f"{SERVICE} --env 'MESSAGE=two  words *' tests/visdom:1.0 {shlex.join(process)}")
    start(site, "1.0")
    assert json.loads(site.docker("inspect", "--format", "{{json .Config.Cmd}}", "tests_service")) == process
    assert "MESSAGE=two  words *" in json.loads(
        site.docker("inspect", "--format", "{{json .Config.Env}}", "tests_service")
    )
    assert not (site.folder / "pwned").exists() and not (site.folder / "f").exists()


def test_an_image_of_buildkit_is_listed_described_and_started(site: Site) -> None:
    site.environment.update(buildkit(site))
    site.inv("frame")
    image = "tests/visdom:0.2.1"
    old = site.docker("image", "inspect", "--format", "{{with .ContainerConfig}}{{json .Labels}}{{end}}", image)
    assert old in ("null", ""), "the place where the script looked is empty"
    described = json.loads(site.inv("labels", "--tag", "0.2.1", "--json").stdout)
    assert described["org.label-schema.docker.cmd"].startswith("docker run --detach --name tests_service")
    site.inv("start")
    assert site.answer() == "version one"


def test_an_image_made_from_a_frame_is_no_version(site: Site) -> None:
    make(site, "1.0")
    make(site, "2.0")
    site.engine.docker("build", "--tag", "tests/notebook:9.9", "-", input="FROM tests/visdom:1.0\nENV CHILD=1\n")
    site.engine.docker("build", "-", input="FROM tests/visdom:1.0\nENV CHILD=2\n")  # and one without a name
    assert versions_offered(site) == ["1.0", "2.0"]
    assert "There is no version 9.9 of tests/visdom." in start(site, "9.9", code=2).stderr


def test_exit_codes_say_what_happened(site: Site) -> None:
    site.inv("start", code=2)  # there is no version
    make(site, "1.0")
    start(site, "1.0")
    start(site, "1.0")  # nothing to do
    start(site, "1.1", code=2)  # there is no such version
    make(site, "2.0", script="exit 3")
    start(site, "2.0", code=1)  # the new one fails; the old one is back
    assert site.answer() == "1.0"
    site.settings["base"]["dockerfile"] = str(site.folder / "Dockerfile.broken")
    (site.folder / "Dockerfile.broken").write_text("FROM tiny:1\nRUN exit 3\n")
    site.save()
    site.inv("frame", "start", code=1)  # a build fails, and nothing is started after it
    assert site.running() == {"tests_service": "tests/visdom:1.0"}
