"""The subcommands of `manage.py saga`."""
