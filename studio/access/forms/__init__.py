"""What people fill in, by what it is about."""

# For names, which browsers leave as they are typed.
PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
