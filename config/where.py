"""Where people find a running shop, and how they get a login."""

from collections.abc import Iterator


def where_to_look(public_url: str, flower_url: str) -> Iterator[str]:
    """Give one line a page, for those addresses that are known, then how a login is made."""
    if public_url:
        yield f"API       {public_url}/api/v1/"
        yield f"API docs  {public_url}/api/v1/docs"
        yield f"admin     {public_url}/admin/"
    if flower_url:
        yield f"Flower    {flower_url}"
    yield "logins    .venv/bin/python manage.py seed_catalogue makes products, a customer's token and two operators"
