"""Whom an identity token names: issuers that are believed, their keys, and what their claims mean."""
