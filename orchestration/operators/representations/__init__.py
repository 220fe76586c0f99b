"""The JSON that staff read, over HTTP and from `manage.py saga`: one serializer writes and documents each value."""
