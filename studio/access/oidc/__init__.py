"""Single sign-on by OpenID Connect: Keycloak, or any other provider."""
