"""What the official `rasa studio` command asks of a Studio: one GraphQL address. docs/rasa-studio.md."""
