"""How the tables came to be: Alembic's steps, run by ``adapters/database.py``."""
