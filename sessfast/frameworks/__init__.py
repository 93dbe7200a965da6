"""A framework's words for what the fronts do. Each file imports one framework, if any."""
