"""What Rasa's validation says of training data, and where in the files that stands. Knows no database."""
