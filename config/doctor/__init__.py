"""The checks of `manage.py doctor`: what an operator on call looks at first."""
