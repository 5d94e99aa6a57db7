"""Special-purpose addresses are refused whatever the interpreter's own tables say."""

import ipaddress

import pytest

from ingest.net import Allowed, is_global

SPECIAL = """
    64:ff9b:1::1 192.0.0.192 192.0.0.9 192.88.99.1 3fff::1 fec0::1 168.63.129.16 100.64.0.1 169.254.169.254
    fd00:ec2::254 5f00::1 100::1 ::ffff:168.63.129.16 64:ff9b::a83f:8110 ::7f00:1 2002:a83f:8110::1
    ::ffff:0:127.0.0.1 2a00:1450::5efe:7f00:1 2a00:1450::200:5efe:a00:1 4000::1 8000::1 e000::1 1::1 200::1
""".split()


@pytest.mark.parametrize("text", SPECIAL)
def test_a_special_purpose_address_is_refused(text):
    address = ipaddress.ip_address(text)
    assert not is_global(address)
    assert not Allowed()("name.example", 443, address)
    assert Allowed([text])("name.example", 443, address)


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_a_public_address_is_reached(text):
    assert is_global(ipaddress.ip_address(text))
