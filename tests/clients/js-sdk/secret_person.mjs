// One user's device with the library's encryption (Rust), which keeps its keys in memory.

import assert from "node:assert/strict";
import { CryptoEvent } from "matrix-js-sdk/lib/crypto-api/CryptoEvent.js";
import { VerificationPhase, VerifierEvent } from "matrix-js-sdk/lib/crypto-api/verification.js";
import { PASSWORD, Person } from "./person.mjs";

const SAS = "m.sas.v1";

export class SecretPerson extends Person {
    // The key of secret storage is kept as a user would on paper: `secrets` may be shared by a user's devices.
    constructor(url, name, secrets = {}) {
        const getSecretStorageKey = async ({ keys }) => {
            const keyId = Object.keys(keys).find((each) => each in secrets);
            return keyId === undefined ? null : [keyId, secrets[keyId]];
        };
        const cacheSecretStorageKey = (keyId, _, key) => {
            secrets[keyId] = key;
        };
        super(url, name, { cryptoCallbacks: { getSecretStorageKey, cacheSecretStorageKey } });
        this.verifications = []; // the library itself refers to them weakly: what nobody else holds is collected, and hangs
    }

    get crypto() {
        return this.client.getCrypto();
    }

    async start() {
        await this.client.initRustCrypto({ useIndexedDB: false });
        this.crypto.globalErrorOnUnknownDevices = false;
        await super.start();
        await this.until(async () => (await this.ownKeys()) !== undefined, "its keys on the server");
    }

    async stop() {
        this.client.stopClient();
    }

    // What the server has of this device.
    async ownKeys() {
        const found = await this.client.downloadKeysForUsers([this.userId]);
        return found.device_keys[this.userId]?.[this.client.getDeviceId()];
    }

    // The devices of a user that this client knows.
    async devicesOf(userId) {
        const found = await this.crypto.getUserDeviceInfo([userId], true);
        return [...(found.get(userId)?.keys() ?? [])].sort();
    }

    // An encrypted room, whose keys change every so many messages.
    async foundSecretRoom(invite, rotation = {}) {
        const content = { algorithm: "m.megolm.v1.aes-sha2", ...rotation };
        const encryption = { type: "m.room.encryption", state_key: "", content };
        const options = { preset: "private_chat", invite, initial_state: [encryption] };
        const { room_id: roomId } = await this.client.createRoom(options);
        await this.until(() => this.room(roomId)?.hasEncryptionStateEvent(), "the encrypted room");
        return roomId;
    }

    async enter(roomId) {
        await this.until(() => this.room(roomId)?.getMyMembership() === "invite", "an invitation");
        await this.client.joinRoom(roomId);
        await this.until(() => this.room(roomId).hasEncryptionStateEvent(), "the encrypted room");
    }

    // Events that stay undecryptable.
    undecryptable(roomId) {
        return this.events(roomId).filter((event) => event.isDecryptionFailure());
    }

    async setUpSecrets() {
        await this.crypto.bootstrapCrossSigning({
            authUploadDeviceSigningKeys: async (upload) => {
                const user = { type: "m.id.user", user: this.name };
                await upload({ type: "m.login.password", identifier: user, password: PASSWORD });
            },
        });
        await this.crypto.bootstrapSecretStorage({
            createSecretStorageKey: () => this.crypto.createRecoveryKeyFromPassphrase(),
            setupNewSecretStorage: true,
            setupNewKeyBackup: true,
        });
        await this.until(async () => (await this.crypto.getActiveSessionBackupVersion()) !== null, "a backup");
    }

    // Take what other devices of the user ask: they and this one show the same emoji.
    acceptVerifications() {
        this.client.on(CryptoEvent.VerificationRequestReceived, (request) => {
            this.verifications.push(request);
            void request.accept().then(() => this.#compare(request));
        });
    }

    // Ask the user's other devices to verify this one, by comparing emoji. Returns what was shown.
    async verifyByOthers() {
        const request = await this.crypto.requestOwnUserVerification();
        this.verifications.push(request);
        await this.until(() => request.phase === VerificationPhase.Ready, "an answer of another device");
        const verifier = await request.startVerification(SAS);
        const shown = await confirmed(verifier);
        await this.until(() => request.phase === VerificationPhase.Done, "the end of the verification");
        return shown;
    }

    async #compare(request) {
        await this.until(() => request.verifier !== undefined, "the start of the comparison");
        this.seen = await confirmed(request.verifier);
    }
}

// Say that the emoji are the same; they are returned.
async function confirmed(verifier) {
    const shown = new Promise((resolve) => {
        verifier.on(VerifierEvent.ShowSas, (sas) => {
            resolve(sas.sas.emoji.map(([emoji]) => emoji));
            void sas.confirm();
        });
    });
    await verifier.verify();
    const emoji = await shown;
    assert.equal(emoji.length, 7);
    return emoji;
}
