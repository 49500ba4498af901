"""What tests of models measured, as pages show it."""
