-- Who has had the messages of a request already, a row for each commit that brought some: `users` are ids, a line each,
-- `number` is that of one of the messages. A repeat brings them to nobody twice.
CREATE TABLE to_device_requests (
    sender TEXT NOT NULL,
    device_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    users TEXT NOT NULL,
    delivered_ms BIGINT NOT NULL,
    PRIMARY KEY (sender, device_id, transaction_id, number)
);

-- "Which may be forgotten?"
CREATE INDEX to_device_requests_by_time ON to_device_requests (delivered_ms);

INSERT INTO to_device_requests (sender, device_id, transaction_id, number, users, delivered_ms)
SELECT sender, device_id, transaction_id, -row_number() OVER (ORDER BY delivered_ms, user_id), user_id, delivered_ms
FROM to_device_deliveries;

DROP TABLE to_device_deliveries;
