"""The secret key: its strength, and one derived key for each purpose."""

import base64
import hashlib

import pytest
from cryptography.fernet import Fernet, InvalidToken

from vigie import settings
from vigie.errors import SettingsError
from vigie.secrets import Vault, derived_key


def test_each_purpose_has_its_own_key():
    keys = {derived_key("k" * 32, purpose) for purpose in ("secrets at rest", "form stamps", "links")}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)
    assert derived_key("k" * 32, "links") != derived_key("l" * 32, "links")


def test_a_text_sealed_for_one_purpose_is_not_opened_for_another():
    sealed = Vault("secret", "links").encrypt("marie@example.fr")
    assert Vault("secret", "links").decrypt(sealed) == "marie@example.fr"
    with pytest.raises(SettingsError):
        Vault("secret").decrypt(sealed)


def test_what_earlier_releases_encrypted_is_still_decrypted():
    key = hashlib.blake2b(b"secret", digest_size=32, person=b"vigie-vault").digest()
    sealed = Fernet(base64.urlsafe_b64encode(key)).encrypt(b"app-password")
    assert Vault("secret").decrypt(sealed) == "app-password"
    renewed = Vault("secret").encrypt("app-password")
    with pytest.raises(InvalidToken):
        Fernet(base64.urlsafe_b64encode(key)).decrypt(renewed)


@pytest.mark.parametrize(
    "weak",
    [
        "x",
        "changeme",
        "a" * 64,
        "abcabcabcabcabcabcabcabcabcabcabcabc",
        "password12345678password12345678pass",
        "0123456789" * 4,
    ],
)
def test_a_secret_key_that_can_be_guessed_is_refused(monkeypatch, weak):
    monkeypatch.setenv("VIGIE_SECRET_KEY", weak)
    with pytest.raises(SettingsError, match="openssl rand"):
        settings.load()


@pytest.mark.parametrize("strong", ["XNDXj1G0bC2Yt1gq5oXK9r7wq0tq4FhA2Yc1Y6Z0m1E", "9f86d081884c7d659a2feaa0c55ad015"])
def test_a_random_secret_key_is_taken(monkeypatch, strong):
    monkeypatch.setenv("VIGIE_SECRET_KEY", strong)
    assert settings.load().secret() == strong


def test_a_secret_file_that_can_be_guessed_is_refused(tmp_path):
    (tmp_path / "secret.key").write_text("x")
    with pytest.raises(SettingsError, match=r"secret\.key: too easy to guess"):
        settings.Settings(data_dir=tmp_path).secret()
