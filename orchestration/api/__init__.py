"""What every HTTP resource shares, whichever service it is about."""
