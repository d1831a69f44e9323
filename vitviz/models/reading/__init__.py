"""Bytes -> tensors, safely: containers, pickles taken apart without running them, and the networks in one file."""
