"""Forms of signing in."""

from django import forms


class SignInForm(forms.Form):
    username = forms.CharField(
        max_length=150, label="User name", widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(max_length=1000, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))
