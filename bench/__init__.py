"""Benchmarks: each measures Parley and something to compare it with in one run, and prints the ratio."""
