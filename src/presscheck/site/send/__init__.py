"""An edition as an e-mail or a chat message: what is said, how it is cut, and that it goes out once."""
