"""The addresses of a running shop's pages, and how to create a login."""

from collections.abc import Iterator


def where_to_look(public_url: str, flower_url: str) -> Iterator[str]:
    """Yield one line for each page whose address is known, then one on how to make a login."""
    if public_url:
        yield f"API       {public_url}/api/v1/"
        yield f"API docs  {public_url}/api/v1/docs"
        yield f"admin     {public_url}/admin/"
    if flower_url:
        yield f"Flower    {flower_url}"
    yield "logins    .venv/bin/python manage.py seed_catalogue makes products, a customer's token and two operators"
