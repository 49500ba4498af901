"""`parley`, the command of Parley: it speaks the HTTP API and nothing else."""

__version__ = "0.1.0"
