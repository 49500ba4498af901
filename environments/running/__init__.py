"""The running service: each worker holds one slot at a time, a Rasa server with one model for whoever tries it."""
