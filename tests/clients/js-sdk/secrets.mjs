// Encryption with matrix-js-sdk. Usage: node secrets.mjs URL FILE STORY [...]; writes the requests of all to FILE as JSON.
//   devices        two users, three devices: both ways, cross-signing, SAS, backup, logging out
//   dehydrated     a device that receives keys while its user is away
//   rotation N     N messages of two users on three devices, with keys that change every 20; a further word says that
//                  parts of the server die meanwhile: then a message may be sent twice
//   echo           say back what others say in the encrypted room that one is invited to, until they say bye

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { SecretPerson } from "./secret_person.mjs";

async function devices(url) {
    const secrets = {};
    const alice = new SecretPerson(url, "alice", secrets);
    const bob = new SecretPerson(url, "bob");
    for (const person of [alice, bob]) {
        await person.register();
        await person.start();
    }
    const roomId = await talkInSecret(alice, bob);
    await alice.setUpSecrets();
    const backup = () => alice.client.http.authedRequest("GET", "/room_keys/version");
    await alice.until(async () => (await backup()).count > 0, "keys in the backup");
    const tablet = await verifiedTablet(url, alice, bob);
    await readHistory(tablet, roomId);
    await speakFromTablet(alice, bob, tablet, roomId);
    await endFirstDevice(alice, bob, tablet, roomId);
    await tablet.stop();
    await bob.stop();
    return [alice, bob, tablet];
}

async function talkInSecret(alice, bob) {
    const roomId = await alice.foundSecretRoom([bob.userId]);
    await bob.enter(roomId);
    await alice.until(() => alice.room(roomId).getMember(bob.userId)?.membership === "join", "Bob's join");
    for (const [speaker, listener, text] of [
        [alice, bob, "hello Bob"],
        [bob, alice, "hello Alice"],
        [alice, bob, "this is between us"],
    ]) {
        const eventId = await speaker.say(roomId, text);
        await listener.untilLast(roomId, text);
        const raw = await listener.client.fetchRoomEvent(roomId, eventId);
        assert.equal(raw.type, "m.room.encrypted");
        assert.ok(!JSON.stringify(raw).includes(text));
    }
    return roomId;
}

// A second device of Alice; the first one verifies it by comparing emoji, and Bob sees that Alice trusts it.
async function verifiedTablet(url, alice, bob) {
    const tablet = new SecretPerson(url, "alice");
    await tablet.login();
    await tablet.start();
    const deviceId = tablet.client.getDeviceId();
    const isSignedFor = async (person) =>
        (await person.crypto.getDeviceVerificationStatus(alice.userId, deviceId))?.signedByOwner === true;
    await bob.until(async () => (await bob.devicesOf(alice.userId)).includes(deviceId), "the tablet");
    assert.equal(await isSignedFor(bob), false);
    alice.acceptVerifications();
    const shown = await tablet.verifyByOthers();
    await alice.until(() => alice.seen !== undefined, "the same emoji");
    assert.deepEqual(shown, alice.seen);
    await bob.until(() => isSignedFor(bob), "the tablet being trusted by Alice");
    await tablet.until(() => tablet.crypto.isCrossSigningReady(), "cross-signing on the tablet");
    return tablet;
}

// The tablet got the key of the backup from the first device, and reads what was said before it was there.
async function readHistory(tablet, roomId) {
    const hasKey = async () => (await tablet.crypto.getSessionBackupPrivateKey()) !== null;
    await tablet.until(hasKey, "the key of the backup");
    const restored = await tablet.crypto.restoreKeyBackup();
    assert.ok(restored.imported > 0, JSON.stringify(restored));
    await tablet.until(() => tablet.undecryptable(roomId).length === 0, "all of the history");
    assert.deepEqual(tablet.texts(roomId), ["hello Bob", "hello Alice", "this is between us"]);
}

// Alice leaves a dehydrated device behind and logs out everywhere. When she is back, it has what Bob said meanwhile.
async function dehydrated(url) {
    const secrets = {};
    const alice = new SecretPerson(url, "alice", secrets);
    const bob = new SecretPerson(url, "bob");
    for (const person of [alice, bob]) {
        await person.register();
        await person.start();
    }
    await alice.setUpSecrets();
    assert.ok(await alice.crypto.isDehydrationSupported());
    await alice.crypto.startDehydration({ createNewKey: true });
    const roomId = await alice.foundSecretRoom([bob.userId]);
    await bob.enter(roomId);
    await bob.until(async () => (await bob.devicesOf(alice.userId)).length === 2, "the dehydrated device");
    await alice.client.logout(true);
    await bob.until(async () => (await bob.devicesOf(alice.userId)).length === 1, "the end of the other device");
    await bob.say(roomId, "while you were away");
    const back = new SecretPerson(url, "alice", secrets);
    await back.login();
    await back.start();
    await back.crypto.bootstrapCrossSigning({});
    await back.crypto.startDehydration({ onlyIfKeyCached: false });
    await back.untilLast(roomId, "while you were away");
    assert.equal(back.undecryptable(roomId).length, 0);
    await back.stop();
    await bob.stop();
    return [alice, bob, back];
}

async function speakFromTablet(alice, bob, tablet, roomId) {
    await tablet.say(roomId, "from the tablet");
    await bob.untilLast(roomId, "from the tablet");
    await alice.untilLast(roomId, "from the tablet");
    await bob.say(roomId, "to both");
    await alice.untilLast(roomId, "to both");
    await tablet.untilLast(roomId, "to both");
}

// Alice logs out of her first device: Bob and the tablet notice, and go on.
async function endFirstDevice(alice, bob, tablet, roomId) {
    const [userId, deviceId] = [alice.userId, alice.client.getDeviceId()];
    await alice.client.logout(true);
    for (const person of [bob, tablet]) {
        await person.until(async () => !(await person.devicesOf(userId)).includes(deviceId), "the end of the device");
    }
    await bob.say(roomId, "are you there?");
    await tablet.untilLast(roomId, "are you there?");
    await tablet.say(roomId, "still here");
    await bob.untilLast(roomId, "still here");
}

// Many messages under many keys. What runs on the other side of the URL may come and go meanwhile.
async function rotation(url, count, disturbance) {
    const isDisturbed = disturbance !== undefined;
    const alice = new SecretPerson(url, "alice");
    const bob = new SecretPerson(url, "bob");
    const laptop = new SecretPerson(url, "bob");
    await alice.register();
    await bob.register();
    await laptop.login();
    for (const person of [alice, bob, laptop]) {
        await person.start();
        person.isPatient = isDisturbed;
    }
    const roomId = await alice.foundSecretRoom([bob.userId], { rotation_period_msgs: 20 });
    await bob.enter(roomId);
    await laptop.until(() => laptop.room(roomId)?.hasEncryptionStateEvent(), "the room");
    await alice.until(() => alice.room(roomId).getMember(bob.userId)?.membership === "join", "Bob's join");
    const expected = [];
    const sessions = new Set();
    for (let number = 0; number < Number(count); number++) {
        const speaker = [alice, bob, laptop][number % 3];
        expected.push(`message ${number}`);
        const eventId = await insist(() => speaker.say(roomId, expected.at(-1)));
        if (number % (isDisturbed ? 10 : 50) === 9) {
            // Not the last one: what the SDK shows at once may stand before what comes from others only then. Nobody may
            // miss more than a response of /sync holds: the SDK sees no gap where it knows its own events of it.
            for (const person of isDisturbed ? [alice, bob, laptop] : [alice]) {
                await person.until(() => person.texts(roomId).includes(expected.at(-1)), expected.at(-1));
            }
        }
        sessions.add((await insist(() => speaker.client.fetchRoomEvent(roomId, eventId))).content.session_id);
    }
    for (const person of [alice, bob, laptop]) {
        const heard = () => [...new Set(person.texts(roomId))].sort();
        await person.until(() => heard().length >= expected.length, `all ${count} messages`);
        assert.deepEqual(heard(), [...expected].sort());
        assert.ok(isDisturbed || person.texts(roomId).length === expected.length, "a message came twice");
        await person.until(() => person.undecryptable(roomId).length === 0, "all of them readable");
        await person.stop();
    }
    assert.ok(sessions.size >= Number(count) / 20, `${sessions.size} sessions`);
    return [alice, bob, laptop];
}

// Try again for a while: a server may be restarting.
async function insist(act) {
    for (let attempt = 0; ; attempt++) {
        try {
            return await act();
        } catch (error) {
            const { httpStatus } = error;
            if (attempt === 60 || (httpStatus !== undefined && httpStatus < 500 && httpStatus !== 429)) {
                throw error;
            }
            await new Promise((resolve) => setTimeout(resolve, 250));
        }
    }
}

async function echo(url) {
    const person = new SecretPerson(url, "echo");
    await person.register();
    await person.start();
    const invitation = () => person.client.getRooms().find((room) => room.getMyMembership() === "invite");
    await person.until(() => invitation() !== undefined, "an invitation");
    const roomId = invitation().roomId;
    await person.enter(roomId);
    const heard = new Set();
    for (let isOver = false; !isOver; ) {
        const fresh = () =>
            person
                .events(roomId)
                .filter((event) => event.getSender() !== person.userId)
                .filter((event) => event.getType() === "m.room.message" && !heard.has(event.getId()));
        await person.until(() => fresh().length > 0, "something to say back");
        for (const event of fresh()) {
            heard.add(event.getId());
            const text = event.getContent().body;
            isOver ||= text === "bye";
            await person.say(roomId, `${text}, ${event.isEncrypted() ? "in secret" : "in the open"}`);
        }
    }
    assert.equal(person.undecryptable(roomId).length, 0);
    await person.stop();
    return [person];
}

const [url, file, story, ...options] = process.argv.slice(2);
const people = await { devices, dehydrated, rotation, echo }[story](url, ...options);
await writeFile(file, JSON.stringify({ all: people.flatMap((person) => person.requests) }));
process.exit(0);
