"""The command `parley`, against a fake Parley and against the real one."""
