"""Is found before the library of this name, which takes longer to load than all else together.

Whatever reads a notebook loads jsonschema, and that loads it, if it is there, for addresses in schemas.
Nothing here has any.
"""

raise ImportError("the tests do without it")
