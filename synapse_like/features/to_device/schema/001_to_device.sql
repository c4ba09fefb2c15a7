-- What waits for a device until its next /sync says that it has arrived.
CREATE TABLE to_device_inbox (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id, number)
);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX to_device_inbox_by_log ON to_device_inbox (number);

-- Who has had the messages of a request already: a repeat brings them to nobody twice.
CREATE TABLE to_device_deliveries (
    sender TEXT NOT NULL,
    device_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    delivered_ms BIGINT NOT NULL,
    PRIMARY KEY (sender, device_id, transaction_id, user_id)
);

-- "Which may be forgotten?"
CREATE INDEX to_device_deliveries_by_time ON to_device_deliveries (delivered_ms);
