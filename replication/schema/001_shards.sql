-- One row is one lease, one epoch and one log (or a lease alone, where is_log is 0).
CREATE TABLE shards (
    family TEXT NOT NULL,
    shard INTEGER NOT NULL,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    forward BIGINT NOT NULL,
    backward BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    backend_pid INTEGER NOT NULL,
    is_log INTEGER NOT NULL,
    PRIMARY KEY (family, shard)
);

-- A database that was found behind its readers gets a new incarnation; tokens of another one are unknown.
CREATE TABLE incarnation (
    one INTEGER PRIMARY KEY,
    incarnation BIGINT NOT NULL
);

-- The processes of the server. One that has not beaten in time, or was struck out, is none of them any more; one that was
-- struck out may not have noticed before beat_until_ms.
CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    version TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    beat_until_ms BIGINT NOT NULL,
    is_draining INTEGER NOT NULL,
    is_struck INTEGER NOT NULL
);
