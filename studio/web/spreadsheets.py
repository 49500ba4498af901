"""What people open in a spreadsheet."""

# What makes a spreadsheet take a cell for a formula: people choose the names and reasons that stand there.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(text: str) -> str:
    """As a cell of a CSV file that no spreadsheet computes."""
    return f"'{text}" if text.startswith(_FORMULA) else text
