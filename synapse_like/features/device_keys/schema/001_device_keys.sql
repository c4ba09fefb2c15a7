-- The identity keys of devices, as they were uploaded.
CREATE TABLE device_keys (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- usage: master, self_signing or user_signing. public_key: what stands behind `ed25519:` in the key's id.
CREATE TABLE cross_signing_keys (
    user_id TEXT NOT NULL,
    usage TEXT NOT NULL,
    public_key TEXT NOT NULL,
    json TEXT NOT NULL,
    PRIMARY KEY (user_id, usage)
);

-- Signatures that came after the keys. key_id: a device, or the public part of a master key, of user_id.
CREATE TABLE key_signatures (
    user_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signer_id TEXT NOT NULL,
    signing_key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (user_id, key_id, signer_id, signing_key_id)
);

-- "Whom has this user signed?"
CREATE INDEX key_signatures_by_signer ON key_signatures (signer_id, user_id);
