"""What a row is: typed features, and the way from a row to the model's input."""
