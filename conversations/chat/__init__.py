"""Talking to an environment's assistant: by people of the team (Talk) and by guests (Share)."""
