from tests.cli.conftest import fake

__all__ = ["fake"]
