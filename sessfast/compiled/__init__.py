"""Files of the rules and fronts, compiled as they stand under a second name.

`sessfast.compiled.session` is made from `sessfast/session.py`, with the C types of the .pxd file
here. Such a file imports its compiled neighbours relatively, so that each finds its own kind.
"""
