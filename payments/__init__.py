"""The payments service: authorises, captures and refunds a customer's money at a payment gateway."""
