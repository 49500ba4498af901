"""Rasa processes as Jobs of a Kubernetes cluster (docs/decisions/0018-rasa-in-kubernetes.md).

`processes` is what the house uses. `desk` is where a Pod fetches its files from the process that started it, and brings
back log, report and results; `agent` runs in the Pod; `manifest` writes the Job.
"""
