"""A small web app that shows what the library does; `python -m sessfast demo` serves it."""
