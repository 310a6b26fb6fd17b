"""S1 to S3 and S7: shapes, names and addresses."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.core.errors import ErrorCode, PorticoError
from portico.outbound.address import HostPort, check_address, parse_target

REFUSAL = (ErrorCode.MEDIA_UNREACHABLE, "Cannot fetch this URL")


def refused(url: str, *, listed: frozenset[HostPort] = frozenset()) -> bool:
    try:
        parse_target(url, listed=listed)
    except PorticoError as error:
        return (error.code, error.message) == REFUSAL
    return False


def dialled(text: str, *, is_listed: bool = False) -> bool:
    try:
        check_address(text, is_listed=is_listed)
    except PorticoError:
        return False
    return True


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://a.example/" + "x" * 2048,  # too long
        "ftp://a.example/x",
        "file:///etc/passwd",
        "//a.example/x",
        "http:/a.example/x",
        "http:///x",  # empty host
        "http://a.example/x y",
        "http://a.example/x\ty",
        "http://a.example/\x00",
        "http://a.example/\r\nHost: b",
        "http://a.example\\@b.example/",
        "http://a.example/\u2028x",
        "http://a.example/\ud800",
        "http://user@a.example/",
        "http://user:secret@a.example/",
        "http://@a.example/",  # even empty
        "http://a.example%2fb/",
        "http://[fe80::1%25eth0]/",
        "http://a.example:80:80/",
        "http://a.example:/",
        "http://a.example:0/",
        "http://a.example:080/",
        "http://a.example:99999/",
        "http://a.example:22/",
        "http://a.example:+80/",
        "http://a.example:８０/",
        "http://[::1/",
        "http://::1/",
        "http://[1.2.3.4]/",
        "http://[v1.a]/",
    ],
)
def test_shape_with_two_readings_is_refused(url):
    assert refused(url)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",  # decimal
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "256.1.1.1",
        "a.example.0x1",
        "①②⑦.⓪.⓪.①",
        "１２７.0.0.1",
        "ｅxample.com",  # full-width letter
        "exa\u00admple.com",  # soft hyphen
        "exa\u200bmple.com",  # zero-width space
        "exa\u200dmple.com",  # zero-width joiner
        "\u212aelvin.com",  # Kelvin sign, lower-cases to k
        "a。example",  # ideographic full stop
        "faß.com.\u0660",
        "xn--\u00fc.com",
        "xn--a.com",
        "a..example.com",
        ".example.com",
        "example.com..",
        "-a.example.com",
        "a-.example.com",
        "a" * 64 + ".com",
        ".".join(["a" * 60] * 5),
        "example",  # single label
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "router.lan",
        "nas.home.arpa",
        "db.default.svc",
        "db.default.svc.cluster.local",
        "host.localdomain",
    ],
)
def test_host_that_means_something_else_is_refused(host):
    assert refused(f"http://{host}/x")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Example.COM", "http://example.com:80/"),
        ("HTTPS://example.com./a?b=c#d", "https://example.com:443/a?b=c"),
        ("http://example.com:8080/%2F/../x", "http://example.com:8080/%2F/../x"),
        ("https://bücher.example/ü?q=ü", "https://xn--bcher-kva.example:443/%C3%BC?q=%C3%BC"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example:443/"),
        ("http://93.184.216.34/", "http://93.184.216.34:80/"),
        ("http://[2606:2800:0220:1::1]/", "http://[2606:2800:220:1::1]:80/"),
        ("http://a_b.example.com/?x=|", "http://a_b.example.com:80/?x=|"),
        ("http://example.com?x@y:z", "http://example.com:80/?x@y:z"),
        ("http://localhost.example.com/", "http://localhost.example.com:80/"),
    ],
)
def test_ordinary_url_keeps_its_meaning(url, expected):
    assert parse_target(url).url == expected


def test_listed_host_and_port_pass_as_an_exact_pair():
    listed = frozenset({("localhost", 9000)})
    assert parse_target("http://localhost:9000/", listed=listed).is_listed
    assert refused("http://localhost:9001/", listed=listed)
    assert refused("http://localhost/", listed=listed)
    assert refused("http://a.localhost:9000/", listed=listed)


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1",
        "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:20::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1",
        "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1",
        "0177.0.0.1", "2130706433", "", "example.com",
    ],
)  # fmt: skip
def test_address_that_is_not_plainly_public_is_refused(text):
    assert not dialled(text)


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1"])
def test_public_address_passes(text):
    assert dialled(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.5", "192.168.1.9", "::1", "fd12::1"])
def test_listed_private_address_passes(text):
    assert dialled(text, is_listed=True)


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "169.254.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192",
        "fd00:ec2::254", "fe80::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1",
        "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ],
)  # fmt: skip
def test_metadata_address_is_refused_even_when_listed(text):
    assert not dialled(text, is_listed=True)


PRIVATE_V4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "168.63.129.16/32",
    )
]  # fmt: skip


@given(st.ip_addresses(v=4))
def test_every_ipv4_answer_agrees_with_the_list_of_private_networks(address: IPv4Address):
    is_private = any(address in network for network in PRIVATE_V4)
    assert dialled(str(address)) is not is_private


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_global_unicast_passes(address: IPv6Address):
    if dialled(str(address)):
        assert address in IPv6Network("2000::/3")
        assert address.sixtofour is None
        assert address.teredo is None


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "::ffff:0:0:0"]))
def test_ipv4_inside_ipv6_never_passes(address: IPv4Address, prefix: str):
    assert not dialled(str(IPv6Address(int(ip_address(prefix)) + int(address))))


@given(st.integers(0, 2**32 - 1))
def test_other_spellings_of_ipv4_never_pass(number: int):
    high, rest = divmod(number, 2**24)
    for host in (str(number), hex(number), f"0{number:o}", f"{high}.{rest}", f"0x{high:x}.{rest}"):
        assert refused(f"http://{host}/")


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_refused_or_taken_apart_into_plain_ascii(host: str, rest: str):
    try:
        target = parse_target(f"http://{host}/{rest}")
    except PorticoError:
        return
    assert target.url.isascii()
    assert target.url.isprintable()
    assert parse_target(target.url) == target
