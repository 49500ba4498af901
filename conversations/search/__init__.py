"""Finding conversations among millions: what they are found by, how that is kept, and how a list asks for it."""
