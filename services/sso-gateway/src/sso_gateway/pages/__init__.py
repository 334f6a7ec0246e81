"""What a person sees: a few calm pages, in Danish and English, that work without JavaScript."""
