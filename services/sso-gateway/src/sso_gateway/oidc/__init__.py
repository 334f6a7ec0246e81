"""The OpenID Provider of BitaBIZ' own apps: web portal, mobile app, back end. Off unless its clients are configured."""
