"""ABQ Data Entry: record a plant laboratory's readings, fast, right and never lost."""
