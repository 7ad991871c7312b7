"""Why is it built so? Measurements behind docs/decisions; not part of the package."""
