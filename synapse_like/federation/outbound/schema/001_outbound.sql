-- How far each shard of destinations has come along the logs: what stands up to there has been acknowledged by every
-- destination of the shard that has no position of its own.
CREATE TABLE outbound_cursors (
    shard INTEGER PRIMARY KEY,
    positions TEXT NOT NULL
);

-- Servers that something was sent to. failing_since_ms NULL: it answers. lag NULL: it goes with its shard's cursor;
-- otherwise the position up to which it has acknowledged everything.
CREATE TABLE destinations (
    destination TEXT PRIMARY KEY,
    shard INTEGER NOT NULL,
    failing_since_ms BIGINT,
    retry_last_ms BIGINT NOT NULL,
    retry_interval_ms BIGINT NOT NULL,
    succeeded_ms BIGINT,
    lag TEXT
);

-- "Which servers do not answer?" (at the start of a process)
CREATE INDEX destinations_failing ON destinations (failing_since_ms) WHERE failing_since_ms IS NOT NULL;

-- "Which servers of these shards lag behind?" (when shards are taken)
CREATE INDEX destinations_lagging ON destinations (shard) WHERE lag IS NOT NULL;

-- Servers that have, or have had, a joined member in a room.
CREATE TABLE room_servers (
    room_nid BIGINT NOT NULL,
    server TEXT NOT NULL,
    PRIMARY KEY (room_nid, server)
);

-- "Which rooms does a server that was away have to catch up with?"
CREATE INDEX room_servers_by_server ON room_servers (server, room_nid);

-- EDUs that must arrive: kept until they are acknowledged, sent in the order of their ids.
CREATE TABLE outbound_edus (
    destination TEXT NOT NULL,
    id BIGINT NOT NULL,
    shard INTEGER NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (destination, id)
);

-- "For which servers of these shards does something wait?"
CREATE INDEX outbound_edus_by_shard ON outbound_edus (shard, destination);
