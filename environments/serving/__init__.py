"""What every Rasa server that we run has in common: that of a managed environment, and a slot's."""
