"""What settings allow, on a real engine: other folders, files with variables, and an engine with files of its own."""

import subprocess

from sites import Site
from versions import make


def test_folders_and_files_that_the_settings_name(site: Site) -> None:
    models, secrets = site.folder / "models", site.folder / "service.env"
    models.mkdir()
    (models / "a").write_text("weights\n")
    secrets.write_text("DB_PASSWORD=$not ${replaced}\n")
    options = ["--network", "host", "--volume", f"{models}:/models:ro,z", "--env-file", str(secrets)]
    make(site, "1.0", options=options)
    assert "nor a folder of start.volumes" in site.inv("start", "--tag", "1.0", code=1).stderr
    site.set(volumes=[str(models)])
    assert "is not a file that start.env_files names" in site.inv("start", "--tag", "1.0", code=1).stderr
    site.set(env_files=[str(secrets)])
    site.inv("start", "--tag", "1.0")
    said = site.docker("exec", "tests_service", "sh", "-c", 'cat /models/a; echo "$DB_PASSWORD"')
    assert said == "weights\n$not ${replaced}"
    assert "replaced" not in site.inv("labels", "--json").stdout


def test_a_source_that_is_missing_is_to_be_made_only_if_it_is_a_folder(site: Site) -> None:
    (site.folder / "data").mkdir()
    for tag, source, way in (
        ("1.0", "models", f"Make it: mkdir -p {site.folder}/data/models"),
        ("2.0", "settings.json", "Bring it, then type the same again."),
    ):
        make(site, tag, options=["--network", "host", "--volume", f"{site.folder}/data/{source}:/x"])
        assert site.inv("start", "--tag", tag, code=1).stderr.strip().endswith(way)


def test_an_engine_with_other_files_is_asked_to_mount_them_unseen(site: Site) -> None:
    """As in a CI container with the engine's socket: the volume's source is the engine's, and nothing is made here."""
    (site.folder / "data/models").mkdir(parents=True)
    make(site, "1.0", options=["--network", "host", "--volume", f"{site.folder}/data/models:/models"])
    hidden = [f"mount -t tmpfs tmpfs {folder}" for folder in (site.engine.folder / "data", site.folder / "data")]
    script = " && ".join([*hidden, '"$@"', f"ls {site.folder}/data"])
    words = ["unshare", "--mount", "sh", "-c", script, "sh", *site.command("start", "--tag", "1.0")]
    done = subprocess.run(words, env=site.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("1.0 runs as tests_service"), "and ls found nothing"
