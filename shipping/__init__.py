"""The shipping service: books and cancels parcels with a carrier."""
