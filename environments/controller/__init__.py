"""The controller: one process that runs a Rasa server for every managed environment.

Rows say what people want (`ManagedServer.wanted`, `restart_requested_at`) and what the controller found (all others).
It writes nothing that people write, so neither ever overwrites the other.
"""
