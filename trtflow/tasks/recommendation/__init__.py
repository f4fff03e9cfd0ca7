"""Which of a hundred movies a user watches next."""
