-- One row is one lease, one epoch and one log.
CREATE TABLE shards (
    family TEXT NOT NULL,
    shard INTEGER NOT NULL,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    forward BIGINT NOT NULL,
    backward BIGINT NOT NULL,
    lease_until_ms BIGINT NOT NULL,
    backend_pid INTEGER NOT NULL,
    PRIMARY KEY (family, shard)
);

-- A database that was found behind its readers gets a new incarnation; tokens of another one are unknown.
CREATE TABLE incarnation (
    one INTEGER PRIMARY KEY,
    incarnation BIGINT NOT NULL
);
