"""The images of the suite, from nothing but this machine's packages: no registry is reached.

The base images that the Dockerfile names are made by debootstrap, with this machine's certificate authorities, and the
Python 3.10 that the house's own search finds; the third-party ones hold the same programs as the official ones. What
takes long is kept: images by Docker, programs in the user's cache folder.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.rasa.interpreter import find_interpreter
from tests.stack import kafka, keycloak, s3
from tests.stack.programs import need

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PARTS_FOLDER = Path(__file__).resolve().parent / "parts"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parley" / "containers"
COMPOSE_VERSION = "v2.40.3"
# The first two are also in parts.yml. Nothing here replaces an official image, or one of yours, that the machine has.
BASE, RASA_BASE = "parley-tests-python:3.11", "parley-tests-python:3.10"
BASES = ("--network=host", "--build-arg", f"PYTHON_IMAGE={BASE}", "--build-arg", f"RASA_PYTHON_IMAGE={RASA_BASE}")
PARTS, APP, RASA = "parley-tests-parts", "parley:tests", "parley-rasa:tests"
START_SECONDS = 30
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# Programs of Python that bring authorities of their own use the machine's: its network may open connections.
TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def docker(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """A command of Docker, waited for; the classic builder, since the other one may not be there."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", *arguments], env=environment, capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done


def has(image: str) -> bool:
    return bool(docker("images", "--quiet", image).stdout.strip())


@contextlib.contextmanager
def daemon() -> Iterator[None]:
    """A Docker that answers: the machine's, or one that lives as long as the tests."""
    need("docker", "docker.io")
    if _answers():
        yield
        return
    need("dockerd", "docker.io")
    log = Path(tempfile.gettempdir()) / "parley-dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(["dockerd"], stdout=output, stderr=output, start_new_session=True)
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers():
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def compose_program() -> Path:
    """Compose v2; it is built when this machine has none yet."""
    built = CACHE / f"docker-compose-{COMPOSE_VERSION}"
    if built.is_file():
        return built
    need("go", "golang-go")
    CACHE.mkdir(parents=True, exist_ok=True)
    with _said(f"Compose {COMPOSE_VERSION}"), tempfile.TemporaryDirectory(dir=CACHE) as folder:
        module = f"github.com/docker/compose/v2@{COMPOSE_VERSION}"
        source = Path(_go(folder, "mod", "download", "-json", module).split('"Dir": "')[1].split('"')[0])
        for name in ("go.mod", "go.sum"):
            Path(folder, name).write_bytes((source / name).read_bytes())
        _go(str(source), "build", f"-modfile={folder}/go.mod", "-o", f"{folder}/docker-compose", "./cmd")
        shutil.move(f"{folder}/docker-compose", built)
    return built


def _go(folder: str, *arguments: str) -> str:
    environment = {**os.environ, "GOWORK": "off", "GOFLAGS": "-mod=mod -buildvcs=false"}
    done = subprocess.run(["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"go {' '.join(arguments)}\n{done.stderr[-3000:]}"
    return done.stdout


def docker_variables() -> dict[str, str]:
    """With these `docker compose` is Compose v2, and builds with the classic builder too."""
    plugin = CACHE / "docker" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    if not plugin.is_symlink() or plugin.readlink() != compose_program():
        plugin.unlink(missing_ok=True)
        plugin.symlink_to(compose_program())
    return {"DOCKER_CONFIG": str(CACHE / "docker"), "DOCKER_BUILDKIT": "0"}


def prepare() -> None:
    """What the Dockerfile and docker-compose.yml begin with. Docker does again only what changed."""
    if not has(BASE):
        with _said(f"The base image {BASE}"):
            _make_base()
    if not has(RASA_BASE):
        with _said(f"The base image {RASA_BASE}"):
            _make_rasa_base()
    _build_parts()


def set_aside() -> None:
    """Parley's own images are kept for their layers, under other names: a machine that is new has none of these."""
    for image in (APP, RASA):
        if has(image):
            docker("tag", image, f"{image}-before")
            docker("rmi", image)


def _build(folder: Path, image: str, *arguments: str) -> None:
    # By the machine's own network: the bridge's may reach no registry of packages.
    docker("build", "--network=host", "--tag", image, *arguments, str(folder))


def _make_base() -> None:
    need("debootstrap", "debootstrap")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        packages = "python3,python3-venv,ca-certificates"
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", f"{folder}/root", _mirror()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        shutil.copy(AUTHORITIES, f"{folder}/root{AUTHORITIES}")
        archive = f"{folder}/root.tar"
        subprocess.run(["tar", "--numeric-owner", "-C", f"{folder}/root", "-cf", archive, "."], check=True)
        changes = [word for name in TRUST for word in ("--change", f"ENV {name}={AUTHORITIES}")]
        docker("import", *changes, "--change", "ENV LANG=C.UTF-8", archive, BASE)


def _mirror() -> str:
    """Where this machine itself takes Debian from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=True
    )
    return next(line for line in listed.stdout.split() if not line.rstrip("/").endswith("-security"))


def _make_rasa_base() -> None:
    """The other base with a Python 3.10 in /usr/local, where the official image has it."""
    interpreter = find_interpreter(os.environ.get("RASA_PYTHON"))
    if interpreter is None:
        pytest.fail("These tests need a Python 3.10 for Rasa, and none was found: set RASA_PYTHON.")
    where = [interpreter, "-c", "import sys; print(sys.base_prefix)"]
    prefix = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        shutil.copytree(prefix, f"{folder}/python", symlinks=True)
        Path(folder, "Dockerfile").write_text(f"FROM {BASE}\nCOPY python /usr/local\nRUN ldconfig\n")
        _build(Path(folder), RASA_BASE)


def _build_parts() -> None:
    """From a folder of links and copies: Docker reads nothing outside of it."""
    sources = {"kafka": kafka.jars(), "keycloak": keycloak.distribution(), "versitygw": s3.program()}
    with _said(f"The image {PARTS}"), tempfile.TemporaryDirectory(dir=CACHE) as folder:
        for name in ("Dockerfile", "nginx.conf", "start"):
            shutil.copy2(PARTS_FOLDER / name, folder)
        for name, source in sources.items():
            _link(source, Path(folder, name))
        shutil.rmtree(Path(folder, "keycloak", "data"), ignore_errors=True)
        _build(Path(folder), PARTS, "--build-arg", f"BASE={BASE}")


def _link(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, copy_function=os.link)
    else:
        os.link(source, place)


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    if seconds > 10:
        sys.stderr.write(f"\n{what} was made in {seconds:.0f} s, and is kept.\n")
