"""Who somebody is: accounts and how a password is checked, logins and the tokens that carry them."""
