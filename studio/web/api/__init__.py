"""The form of the HTTP API, which every app's api.py keeps: failures, pages of lists, its description."""
