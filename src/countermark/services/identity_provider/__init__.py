"""An OpenID issuer for those who have none."""
