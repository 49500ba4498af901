"""How what Rasa publishes becomes rows: a source hands over records, `decode` reads them, `write` stores them."""
