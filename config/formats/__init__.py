"""How the admin writes what Django formats: as everything else here does."""
