"""`start`: picking a version and switching to it."""

from sites import Site


def test_first_start_runs_the_version_just_built(site: Site) -> None:
    done = site.inv("frame", "start")
    assert "0.2.1 runs as tests_service" in done.stdout
    assert site.answer() == "version one"
    assert site.running() == {"tests_service": "tests/visdom:0.2.1"}


def test_every_upgrade_replaces_the_container_that_holds_the_name(site: Site) -> None:
    site.inv("frame", "start")
    site.commit(text="version two\n")
    done = site.inv("frame", "start")
    assert "before: 0.2.1" in done.stdout and "silent for" in done.stdout
    assert site.answer() == "version two"
    assert site.running() == {"tests_service": "tests/visdom:0.2.2"}
