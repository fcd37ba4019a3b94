"""The box: what memory and CPU the platform lets us use, and how we keep within them."""
