"""Stores that wait: one call beside the raw client's, and many requests at once on Redis.

bench/test_stores.py makes rows of it for `python -m bench --only stores`; README.md says what
came out.
"""
