"""Environments as pages show them: rows made into words, nothing written."""
