"""Sending to other servers: events and EDUs in transactions, to each server by itself, for as long as it takes.

* `families`   destinations as a family of shards: who owns one, sends
* `follower`   what happens, in order, into the queues of the servers concerned (`servers`: who is in a room then)
* `queue`, `queues`   what waits for a server, in memory
* `delivery`   one transaction at a time for each server; `backoffs`: who does not answer
* `catch_up`   what a server gets that was away
* `sender`     taking shards over, storing how far they are
* `outbox`     EDUs that must arrive
* `metrics`    what there is to see of it
"""

from synapse_like.federation.authentication import SignatureAuthenticator
from synapse_like.federation.edus import EduReception
from synapse_like.federation.front import Federation
from synapse_like.federation.outbound.backoffs import BACKOFFS, Backoffs
from synapse_like.federation.outbound.catch_up import CatchUp
from synapse_like.federation.outbound.config import SendingConfig
from synapse_like.federation.outbound.delivery import Delivery
from synapse_like.federation.outbound.effect import note_servers
from synapse_like.federation.outbound.families import DESTINATION
from synapse_like.federation.outbound.follower import Follower
from synapse_like.federation.outbound.metrics import METRICS, watch_sending
from synapse_like.federation.outbound.outbox import OUTBOX, PURGE_SECONDS, Outbox
from synapse_like.federation.outbound.queues import Queues
from synapse_like.federation.outbound.sender import LOOK_SECONDS, SAVE_SECONDS, Sender
from synapse_like.federation.outbound.servers import RoomServers
from synapse_like.rooms.front import Rooms
from synapse_like.toolkit.feature import Built, Feature, Kit

__all__ = ["DESTINATION", "FEATURE", "Backoffs", "Outbox", "Sender"]

_ID_LETTERS = 10


def build(kit: Kit, rooms: Rooms, federation: Federation, authenticator: SignatureAuthenticator) -> Built:
    """The sender and what it is made of."""
    config = kit.config[SendingConfig]
    backoffs = Backoffs(kit.database, rooms.user_log, kit.clock, kit.randomness, config.federation)
    federation.client.destinations = backoffs
    authenticator.on_heard.append(backoffs.heard_from)
    outbox = Outbox(kit.database, rooms.user_log, federation.policy, kit.clock, kit.randomness)
    queues = Queues(federation.policy)
    servers = RoomServers(kit.database, kit.server_name)
    rate = config.federation_rr_transactions_per_room_per_second
    follower = Follower(rooms.reader, servers, queues, kit.clock, kit.server_name, rate)
    delivery = Delivery(
        federation.client,
        backoffs,
        kit.database,
        kit.clock,
        kit.server_name,
        config.federation.client_timeout.ms,
        kit.randomness.random_string(_ID_LETTERS),
    )
    catch_up = CatchUp(kit.database, rooms.reader, kit.server_name)
    sender = Sender(queues, follower, delivery, catch_up, backoffs, kit.database, kit.clock)
    watch_sending(kit.metrics, queues, delivery, backoffs)
    rooms.reader.subscribe(OUTBOX, sender.take_outbox)
    rooms.reader.subscribe(BACKOFFS, backoffs.take)
    return Built(
        fronts=[sender, outbox, backoffs, EduReception()],
        ephemeral=[BACKOFFS, OUTBOX],
        effects=[note_servers(kit.server_name)],
        services=[backoffs],
        tenants=[(DESTINATION, sender)] if federation.policy.is_enabled else [],
        jobs=[("outbox", PURGE_SECONDS, outbox.purge)],
        ticks=[
            ("outbound positions", SAVE_SECONDS, sender.save),
            ("outbound stored", LOOK_SECONDS, sender.look_for_stored),
        ],
    )


FEATURE = Feature(
    name="federation.outbound",
    build=build,
    package=__name__,
    configs=(SendingConfig,),
    families=(DESTINATION,),
    metrics=METRICS,
)
