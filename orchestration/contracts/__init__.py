"""What services say to each other: frozen values, standard library only."""
