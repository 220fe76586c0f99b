"""Requests and answers between services: frozen values, with the standard library and msgspec only."""
