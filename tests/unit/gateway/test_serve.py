"""Where a component listens: a cluster may have IPv4, IPv6 or both."""

import socket

from reactor_operator.gateway.serve import listen


def test_no_host_is_every_address_of_both_families() -> None:
    with listen("", 0) as listener, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
        listener.listen()
        assert peer.connect_ex(("127.0.0.1", listener.getsockname()[1])) == 0
        assert listener.family is (socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET)


def test_a_host_is_that_address_alone() -> None:
    with listen("127.0.0.1", 0) as listener, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
        listener.listen()
        assert peer.connect_ex(("127.0.0.2", listener.getsockname()[1])) != 0
