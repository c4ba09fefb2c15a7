"""Who serves and owns what follows from declarations."""

import pytest

from replication.streams import Family
from synapse_like.federation.outbound import DESTINATION
from synapse_like.rooms.families import ROOM, USER
from synapse_like.toolkit.http.endpoint import Balance, Endpoint
from workers.kinds import (
    CLIENT,
    EVENT_WRITER,
    FEDERATION_RECEIVER,
    FEDERATION_SENDER,
    KINDS,
    MAIN,
    SYNC,
    kind_for,
    kind_named,
    owner_of,
)
from workers.map import endpoints


def test_a_kind_is_found_by_its_name_and_has_a_port_of_its_own():
    assert [kind_named(kind.name) for kind in KINDS] == list(KINDS)
    assert len({kind.metrics_port for kind in KINDS}) == len(KINDS)
    with pytest.raises(KeyError):
        kind_named("handyman")


def test_families_have_an_owner():
    assert owner_of(ROOM) is EVENT_WRITER
    assert owner_of(USER) is CLIENT
    assert owner_of(DESTINATION) is FEDERATION_SENDER
    assert owner_of(Family("something new")) is MAIN


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ({"writes": ("events",), "balance": Balance.ROOM}, EVENT_WRITER),
        ({"writes": ("events",)}, CLIENT),
        ({"writes": ("devices",), "balance": Balance.USER}, CLIENT),
        ({"balance": Balance.ROOM}, CLIENT),
        ({"pool": "sync", "balance": Balance.USER}, SYNC),
        ({"resource": "federation", "writes": ("events",), "balance": Balance.ROOM}, FEDERATION_RECEIVER),
        ({"resource": "keys"}, FEDERATION_RECEIVER),
        ({"pool": "of a kind that is not there yet"}, CLIENT),
    ],
)
def test_an_endpoint_goes_to_the_kind_that_its_declaration_says(declared, kind):
    assert kind_for(Endpoint("GET", ("/a",), **declared)) is kind


def test_every_endpoint_goes_to_a_kind_that_takes_requests():
    assert {kind_for(endpoint).serves_requests for _, endpoint in endpoints()} == {True}
    assert {kind_for(endpoint) for _, endpoint in endpoints()} >= {EVENT_WRITER, SYNC, CLIENT}
