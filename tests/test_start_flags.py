"""The flags of `start`, and what it does before it touches anything."""

import re
from pathlib import Path
from typing import Any

import pytest
from sites import Site
from switches import leftovers, only
from terminals import ENTER, Terminal
from versions import SERVE, make

# `bold` asks for more than is plainly safe.
VERSIONS: dict[str, dict[str, Any]] = {
    "1.0": {},
    "2.0": {},
    "bold": {"options": ("--network", "host", "--init", "--cap-add", "SYS_NICE")},
    "steering": {"options": ("--network", "host", "--cap-add", "SYS_NICE", "--env", "COLOUR=\x1b[31mred")},
    "bare": {"label": ""},
    "mute": {"script": "exec sleep 1000"},
    "odd": {"label": "please run docker run tests/visdom:odd"},
}


@pytest.fixture
def site(versions: Site, tmp_path: Path) -> Site:
    """The site, whose settings recommend what its versions do, with a data directory that does not exist yet."""
    versions.settings["data"] = str(tmp_path / "data")
    versions.frame["command"] = ["sh", "-c", SERVE.format(port=versions.port)]
    versions.save()
    return versions


@pytest.fixture
def service(site: Site, service: Site) -> Site:
    """The same, on which 1.0 runs."""
    return service


def untouched(site: Site) -> None:
    """The old version runs, and no other container was made."""
    only(site, "1.0")
    assert site.docker("ps", "--all", "--format", "{{.Names}}") == "tests_service"


# Picking


def test_an_unknown_tag_is_refused_with_those_that_there_are(service: Site) -> None:
    told = service.inv("start", "--tag", "7.7", code=2).stderr
    assert "no version 7.7" in told and all(tag in told for tag in ("1.0", "2.0", "bold", "bare"))
    untouched(service)


@pytest.mark.parametrize("tag", ["", " ", "-f", "../1.0", "\x1b[2J", "1.0@sha256:00", "a" * 300])
def test_a_tag_that_is_none_is_refused_without_a_traceback(service: Site, tag: str) -> None:
    told = service.inv("start", "--tag", tag, code=2).stderr
    assert "\x1b" not in told
    untouched(service)


def test_a_tag_and_the_latest_are_too_much(service: Site) -> None:
    assert "--tag" in service.inv("start", "--tag", "2.0", "--latest", code=2).stderr
    untouched(service)


# The recommended command


def test_more_than_is_plainly_safe_is_refused_and_the_way_out_is_named(service: Site) -> None:
    told = service.inv("start", "--tag", "bold", code=1).stderr
    assert "--cap-add SYS_NICE is not on the list" in told and "--trust" in told
    untouched(service)


def test_trust_without_a_terminal_shows_all_and_needs_yes(service: Site) -> None:
    done = service.inv("start", "--tag", "bold", "--trust", code=2)
    assert "docker run -d --name tests_service --network host" in done.stdout
    assert "--cap-add SYS_NICE is not on the list start.allow" in done.stdout
    assert "--yes" in done.stderr
    untouched(service)


def test_trust_does_not_go_as_far_as_what_steers_a_terminal(service: Site) -> None:
    done = service.inv("start", "--tag", "steering", "--trust", "--yes", code=1)
    assert "holds control characters" in done.stderr and "\x1b" not in done.stdout + done.stderr
    untouched(service)


def test_trust_with_yes_runs_it(service: Site) -> None:
    done = service.inv("start", "--tag", "bold", "--trust", "--yes")
    assert "--cap-add SYS_NICE is not on the list" in done.stdout
    only(service, "bold")
    assert "SYS_NICE" in service.docker("inspect", "--format", "{{.HostConfig.CapAdd}}", "tests_service")


def test_trust_asks_at_a_terminal_and_enter_means_no(service: Site) -> None:
    with Terminal(service, "start", "--tag", "bold", "--trust") as terminal:
        terminal.until("Run it all the same?")
        terminal.press(ENTER)
        assert terminal.ended() == 130
        assert "Nothing was changed." in terminal.shown
    untouched(service)
    with Terminal(service, "start", "--tag", "bold", "--trust") as terminal:
        terminal.until("Run it all the same?")
        terminal.press("y")
        assert terminal.ended() == 0, terminal.shown
    only(service, "bold")


def test_trust_of_what_is_plainly_safe_asks_nothing(service: Site) -> None:
    assert "Unusual" not in service.inv("start", "--tag", "2.0", "--trust").stdout
    only(service, "2.0")


def test_an_image_without_a_recommended_command_names_the_flag(service: Site) -> None:
    told = service.inv("start", "--tag", "bare", code=1).stderr
    assert "has no recommended command" in told and "--from-settings" in told
    untouched(service)


@pytest.mark.parametrize("tag", ["bare", "odd", "bold"])
def test_from_settings_takes_the_settings_and_not_the_label(service: Site, tag: str) -> None:
    service.frame["run_options"] = ["--network", "host", "--init", "--env", "FROM=settings"]
    service.save()
    service.inv("start", "--tag", tag, "--from-settings")
    assert service.running() == {"tests_service": f"tests/visdom:{tag}"}
    assert "FROM=settings" in service.docker("inspect", "--format", "{{.Config.Env}}", "tests_service")


def test_what_is_no_docker_run_is_refused_even_with_trust(service: Site) -> None:
    for words in (["--trust", "--yes"], []):
        assert "is not a `docker run`" in service.inv("start", "--tag", "odd", *words, code=1).stderr
    untouched(service)


def test_the_name_in_the_settings_goes_before_the_one_in_the_label(site: Site) -> None:
    site.frame["service"] = "another_name"
    site.save()
    assert (
        "Its label calls the service tests_service; here it is another_name."
        in site.inv("start", "--tag", "1.0").stdout
    )
    assert site.running() == {"another_name": "tests/visdom:1.0"}


# The rehearsal and the name


@pytest.mark.parametrize("by", ["the flag", "the setting"])
def test_a_service_that_cannot_run_twice_is_not_rehearsed(service: Site, by: str) -> None:
    service.set(rehearse=by == "the flag")
    done = service.inv("start", "--tag", "2.0", *(["--no-rehearsal"] if by == "the flag" else []))
    assert "rehearsal" not in done.stdout
    only(service, "2.0")


def test_a_first_deployment_is_not_rehearsed(site: Site) -> None:
    assert "rehearsal" not in site.inv("start", "--tag", "1.0").stdout
    only(site, "1.0")


@pytest.mark.parametrize("state", ["created", "exited"])
def test_an_old_container_that_holds_the_name_is_no_obstacle(site: Site, state: str) -> None:
    verb = ["create"] if state == "created" else ["run"]
    site.docker(*verb, "--name", "tests_service", "--network", "none", "tests/visdom:1.0", "sleep", "0")
    site.inv("start", "--tag", "2.0")
    only(site, "2.0")
    assert (
        site.docker("ps", "--all", "--filter", "name=tests_service.1.0", "--format", "{{.Names}}")
        == "tests_service.1.0"
    )


def test_the_setting_for_the_time_limit_comes_from_the_environment_too(service: Site) -> None:
    del service.settings["start"]["timeout"]  # the file after -f goes before the environment
    service.save()
    told = service.inv("start", "--tag", "mute", code=1, INVOKE_STACK_START_TIMEOUT="1").stderr
    assert "did not become healthy within 1 s" in told
    untouched(service)


def test_a_progress_display_at_a_terminal_and_plain_lines_elsewhere(service: Site) -> None:
    with Terminal(service, "start", "--tag", "2.0") as terminal:
        assert terminal.ended() == 0, terminal.shown
        assert re.search(
            r"2\.0 runs as tests_service; before: 1\.0; port \d+ was silent for \d+ ms, new\s+connections waited\.",
            terminal.shown,
        )
    only(service, "2.0")
    done = service.inv("start", "--tag", "1.0")
    assert "\x1b" not in done.stdout + done.stderr and re.search(r"tests_service.next: \w+, \d\.\d s", done.stdout)


# The data directory


def test_the_standard_folders_are_made_and_what_exists_is_left_alone(site: Site) -> None:
    data = Path(site.settings["data"])
    (data / "datasets").mkdir(parents=True)
    (data / "datasets").chmod(0o700)
    (data / "datasets/mine").write_text("a")
    site.frame["run_options"] = ["--network", "host", "--init", "--volume", f"{data}:/data"]
    site.save()
    said = site.inv("start", "--tag", "1.0", "--from-settings").stdout
    assert said.startswith(f"Made in {data}: checkpoints, pretrained_models, projects.\n")
    assert {path.name for path in data.iterdir()} == {"checkpoints", "datasets", "pretrained_models", "projects"}
    assert (data / "datasets").stat().st_mode & 0o777 == 0o700 and (data / "datasets/mine").read_text() == "a"


def test_folders_are_not_made_for_a_service_that_mounts_none(site: Site) -> None:
    site.inv("start", "--tag", "1.0")
    assert not Path(site.settings["data"]).exists()


def test_a_missing_data_directory_is_said_and_not_made(service: Site) -> None:
    data = Path(service.settings["data"])
    service.frame["run_options"] = ["--network", "host", "--init", "--volume", f"{data}:/data"]
    service.save()
    told = service.inv("start", "--tag", "2.0", "--from-settings", code=1).stderr
    assert told == f"The data directory {data} does not exist. Make it: mkdir -p {data}\n" and not data.exists()
    data.write_text("no folder")
    told = service.inv("start", "--tag", "2.0", "--from-settings", code=1).stderr
    data.unlink()
    assert told == f"The data directory {data} is no folder. See: ls -l {data}\n"
    untouched(service)


def test_a_folder_that_cannot_be_made_is_a_warning(site: Site) -> None:
    data = Path(site.settings["data"])
    data.mkdir()
    (data / "projects").write_text("a file in the way")
    site.frame["run_options"] = ["--network", "host", "--init", "--volume", f"{data}:/data"]
    site.save()
    assert f"Warning: {data}/projects cannot be made" in site.inv("start", "--tag", "1.0", "--from-settings").stdout
    only(site, "1.0")


def test_a_missing_source_of_a_volume_is_named_before_anything_is_touched(service: Site) -> None:
    data = Path(service.settings["data"])
    data.mkdir()
    service.frame["run_options"] = ["--network", "host", "--volume", f"{data}/nowhere:/data"]
    service.save()
    told = service.inv("start", "--tag", "2.0", "--from-settings", code=1).stderr
    assert f"{data}/nowhere does not exist" in told and "mkdir -p" in told
    assert not (data / "nowhere").exists()
    untouched(service)


# Images whose tag was built anew


def test_a_tag_built_anew_is_switched_to_and_rolled_back_from(site: Site) -> None:
    make(site, "moved")
    site.inv("start", "--tag", "moved")
    first = site.docker("inspect", "--format", "{{.Image}}", "tests_service")
    make(site, "moved", extra="ENV BUILT=anew")
    assert "moved runs as tests_service; before: moved" in site.inv("start", "--tag", "moved").stdout
    assert site.docker("inspect", "--format", "{{.Image}}", "tests_service") != first
    assert "moved runs as tests_service" in site.inv("rollback").stdout
    assert site.docker("inspect", "--format", "{{.Image}}", "tests_service") == first
    assert site.answer() == "moved" and len(site.running()) == 1 and not leftovers(site)
    site.engine.remove_containers()
    site.docker("image", "rm", "--force", "tests/visdom:moved")
