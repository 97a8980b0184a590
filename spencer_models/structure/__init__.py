"""What a function's syntax tree says about it: trees, and the data flow between its variables."""
