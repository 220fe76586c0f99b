"""The payments service: holds, takes and gives back a customer's money at a payment gateway."""
