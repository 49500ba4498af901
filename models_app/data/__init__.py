"""An assistant's training data as plain files: read, judged, compared. Nothing here knows a database or a request."""
