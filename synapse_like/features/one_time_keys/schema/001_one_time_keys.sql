-- Keys that are given out once, in the order of their places. Ids are unique too: who adds keys has looked, and holds the
-- user's lock; a second index would double what an upload costs.
CREATE TABLE one_time_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    place BIGINT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm, place)
);

-- The key that is given out, again and again, when there is no other.
CREATE TABLE fallback_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    json TEXT NOT NULL,
    is_used SMALLINT NOT NULL,
    PRIMARY KEY (user_id, device_id, algorithm)
);

-- What /sync tells a device of its keys. counts: JSON {algorithm: how many}; unused: JSON [algorithms of fallback keys].
CREATE TABLE one_time_key_counts (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    counts TEXT NOT NULL,
    unused TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- "Which counts changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX one_time_key_counts_by_log ON one_time_key_counts (number);
