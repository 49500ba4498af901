"""The command lines of Rasa that we use, and the ports its servers get."""

import socket
from collections.abc import Sequence
from pathlib import Path

from studio.rasa.process import secret

TOKEN_VARIABLE = "PARLEY_SERVER_TOKEN"  # noqa: S105  the variable's name; Spec.environment holds its value


def train_arguments(
    *,
    config: Path | str,
    domain: Path | str,
    data: Sequence[Path | str],
    out: Path | str,
    model_name: str | None = None,
    force: bool = False,
    skip_validation: bool = False,
    finetune: Path | str | None = None,
    epoch_fraction: float | None = None,
) -> tuple[str, ...]:
    """`rasa train`, which leaves `<out>/<model_name>.tar.gz`, or one named by Rasa after the time and two words.

    Without `force` unchanged parts come from its cache. It validates the data first, unless told to skip that.
    `finetune` is the archive of a model to go on from, with a share of the configuration's epochs.
    """
    return (
        "train",
        *("--config", str(config), "--domain", str(domain), "--data", *map(str, data)),
        *("--out", str(out)),
        *(("--fixed-model-name", model_name) if model_name else ()),
        *(("--force",) if force else ()),
        *(("--skip-validation",) if skip_validation else ()),
        *(("--finetune", str(finetune)) if finetune else ()),
        *(("--epoch-fraction", str(epoch_fraction)) if finetune and epoch_fraction is not None else ()),
    )


def validate_arguments(config: str, domain: str, data: Sequence[str]) -> tuple[str, ...]:
    """`rasa data validate`: ends with 1 on an error and with 0 on warnings alone."""
    return ("data", "validate", "--config", config, "--domain", domain, "--data", *data)


def train_nlu_arguments(*, config: str, domain: str, nlu: str, out: str) -> tuple[str, ...]:
    """`rasa train nlu`, of the file or folder `nlu` alone."""
    return ("train", "nlu", "--config", config, "--domain", domain, "--nlu", nlu, "--out", out)


def story_test_arguments(*, model: str, stories: str, out: str) -> tuple[str, ...]:
    """`rasa test core` with the files below `stories` whose names begin with `test_`: no others are test stories."""
    return ("test", "core", "--model", model, "--stories", stories, "--e2e", "--out", out, "--no-plot")


def split_nlu_arguments(*, nlu: str, training_fraction: float, seed: int, out: str) -> tuple[str, ...]:
    """`rasa data split nlu`, which leaves `<out>/training_data.yml` and `<out>/test_data.yml`."""
    fraction = ("--training-fraction", f"{training_fraction:.2f}")
    return ("data", "split", "nlu", "--nlu", nlu, *fraction, "--random-seed", str(seed), "--out", out)


def nlu_test_arguments(*, model: str, domain: str, nlu: str, out: str) -> tuple[str, ...]:
    """`rasa test nlu`, which leaves reports and errors as JSON below `out`."""
    return ("test", "nlu", "--model", model, "--domain", domain, "--nlu", nlu, "--out", out, "--no-plot")


def run_arguments(
    *,
    port: int,
    credentials: Path,
    endpoints: Path,
    model: Path | None = None,
    interface: str = "127.0.0.1",
) -> tuple[str, ...]:
    """`rasa run` with its HTTP API, on this machine alone unless `interface` says otherwise.

    The API's token is taken from the environment variable TOKEN_VARIABLE of the Spec. Both files are always named:
    without credentials Rasa talks to a terminal, and without endpoints it takes those that lie in its folder.
    """
    return (
        *("run", "--enable-api", f"--auth-token={secret(TOKEN_VARIABLE)}"),  # a token may begin with "-"
        *("--interface", interface, "--port", str(port)),
        *("--endpoints", str(endpoints), "--credentials", str(credentials)),
        *(("--model", str(model)) if model else ()),
    )


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now.

    Somebody may take it before Rasa does; Rasa then ends with code 0, having said "address already in use" in its log.
    What answers there is ours only when `RasaClient.is_mine` says so.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
