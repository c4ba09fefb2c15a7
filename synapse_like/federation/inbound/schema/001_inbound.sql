-- Events of other servers that were answered for and wait for what leads to them.
CREATE TABLE federation_staged (
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    shard INTEGER NOT NULL,
    received_ms BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (room_id, event_id)
);

-- "What waits in the rooms of the shards that a process has taken?"
CREATE INDEX federation_staged_by_shard ON federation_staged (shard, received_ms);

-- What was answered to transactions, so that a repeat gets the same.
CREATE TABLE federation_transactions (
    origin TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (origin, transaction_id)
);

-- "Which answers are old enough to be forgotten?"
CREATE INDEX federation_transactions_by_time ON federation_transactions (received_ms);
