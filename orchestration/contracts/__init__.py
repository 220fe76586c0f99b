"""What services say to each other: frozen values, of the standard library and msgspec only."""
