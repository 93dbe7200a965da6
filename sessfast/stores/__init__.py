"""Stores: where sessions are kept. The contract they fulfil is in `contract`."""
