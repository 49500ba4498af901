"""The database and the models together, in a folder or a bucket: made while Parley works, brought back when it rests.

A backup is a store of artifacts, `parts`, with the dump of the database as one more of them, and `manifest.json`, which
is written last and names every part by its SHA-256. Without a manifest it is no backup.
"""
