"""What the analytics page says: a period, the numbers of its points, and charts of them."""
